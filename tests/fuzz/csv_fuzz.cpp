#include "files/csv_parser.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/sql_lexer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A CSV file of any bytes, cut anywhere: gives records or one error with its place, and records are
// read as they are written. The first two bytes say the delimiter, and how the rest is cut.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::files;
using test::require;

struct Outcome {
    std::vector<CsvRecord> records;
    std::optional<CsvError> error;

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(std::string_view text, const CsvOptions& options, std::size_t piece_bytes) {
    Outcome outcome;
    CsvParser parser{options};
    const auto sink = [&](const CsvRecord& record) { outcome.records.push_back(record); };
    while (!text.empty() && !outcome.error) {
        outcome.error = parser.feed(text.substr(0, piece_bytes), sink);
        text.remove_prefix(std::min(piece_bytes, text.size()));
    }
    if (!outcome.error) outcome.error = parser.finish(sink);
    return outcome;
}

void check_place(const TextPlace& place, std::string_view text) {
    const auto lines = static_cast<std::uint64_t>(std::ranges::count(text, '\n')) + 1;
    require(place.line >= 1 && place.line <= lines, "a line is in the file");
    require(place.column >= 1 && place.column <= text.size() + 1, "and so is a column");
}

void check_records(const Outcome& outcome, std::string_view text, const CsvOptions& options) {
    TextPlace last{0, 0};
    std::size_t bytes = 0;
    for (const auto& record : outcome.records) {
        require(!record.fields.empty(), "a record has a field");
        require(record.fields.size() <= options.fields_max, "a record has not too many fields");
        require(record.line == record.fields[0].place.line, "a record begins with its first field");
        for (const auto& field : record.fields) {
            check_place(field.place, text);
            const bool later = field.place.line > last.line ||
                               (field.place.line == last.line && field.place.column > last.column);
            require(later, "fields stand one behind the other");
            last = field.place;
            require(test::is_utf8(field.text), "a field is UTF-8 without NUL");
            require(field.text.size() <= options.field_bytes_max, "a field is not too long");
            bytes += field.text.size();
        }
    }
    require(bytes <= text.size(), "fields are made of the text");
}

std::string quoted(const std::string& text) {
    std::string result{'"'};
    for (const char c : text) result += c == '"' ? std::string{"\"\""} : std::string{c};
    return result + '"';
}

/// As another program would write them, each line's end in turn.
std::string written(const std::vector<CsvRecord>& records, char delimiter) {
    std::string text;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const auto& fields = records[i].fields;
        for (std::size_t k = 0; k < fields.size(); ++k) {
            if (k > 0) text += delimiter;
            text += fields[k].null() ? "" : quoted(fields[k].text);
        }
        text += i % 2 == 0 ? "\n" : "\r\n";
    }
    return text;
}

void check_round_trip(const std::vector<CsvRecord>& records, CsvOptions options) {
    const auto again = read(written(records, options.delimiter), options, SIZE_MAX);
    require(!again.error, "what was read can be written");
    require(again.records.size() == records.size(), "and gives as many records");
    for (std::size_t i = 0; i < records.size(); ++i) {
        const auto same = [](const CsvField& one, const CsvField& other) {
            return one.text == other.text && one.null() == other.null();
        };
        require(
            std::ranges::equal(records[i].fields, again.records[i].fields, same),
            "with the same values"
        );
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t choices = 2;
    if (size < choices) return 0;
    constexpr std::array delimiters{',', ';', '\t', '|'};
    CsvOptions options;
    options.delimiter = delimiters.at(data[0] % delimiters.size());
    // Small enough that inputs reach them.
    options.field_bytes_max = 64;
    options.fields_max = 8;
    const std::string text(data + choices, data + size);

    const auto whole = read(text, options, SIZE_MAX);
    require(read(text, options, data[1] + 1U) == whole, "it is the same in pieces");
    check_records(whole, text, options);
    if (whole.error) {
        require(!whole.error->what.empty(), "an error says what is wrong");
        check_place(whole.error->place, text);
    } else {
        check_round_trip(whole.records, options);
    }
    return 0;
}
