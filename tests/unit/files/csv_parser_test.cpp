#include "files/csv_parser.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace pgchronicle::files;

namespace {

/// What a text gives: each record as its line and its fields, NULL as <null>, and the error.
struct Read {
    std::vector<std::vector<std::string>> records;
    std::vector<std::uint64_t> lines;
    std::optional<CsvError> error;

    friend bool operator==(const Read&, const Read&) = default;
};

Read read(const std::vector<std::string_view>& pieces, CsvOptions options = {}) {
    Read result;
    CsvParser parser{options};
    const auto sink = [&](const CsvRecord& record) {
        auto& fields = result.records.emplace_back();
        for (const auto& field : record.fields) {
            fields.push_back(field.null() ? "<null>" : field.text);
        }
        result.lines.push_back(record.line);
    };
    for (const auto piece : pieces) {
        if ((result.error = parser.feed(piece, sink))) return result;
    }
    result.error = parser.finish(sink);
    return result;
}

using Records = std::vector<std::vector<std::string>>;

Records records_of(std::string_view text, CsvOptions options = {}) {
    const auto result = read({text}, options);
    CHECK(result.error == std::nullopt);
    return result.records;
}

std::optional<CsvError> error_of(std::string_view text, CsvOptions options = {}) {
    return read({text}, options).error;
}

CsvError at(std::uint64_t line, std::uint64_t column, std::string what) {
    return {{line, column}, std::move(what)};
}

}  // namespace

TEST_CASE("a CSV file is records of fields", "[files]") {
    CHECK(records_of("a,b\n1,2\n") == Records{{"a", "b"}, {"1", "2"}});
    CHECK(records_of("a,b\r\n1,2\r\n") == Records{{"a", "b"}, {"1", "2"}});
    CHECK(records_of("a,b\n1,2") == Records{{"a", "b"}, {"1", "2"}});
    CHECK(records_of("").empty());
    CHECK(records_of(" a , b \n") == Records{{" a ", " b "}});
    CHECK(records_of("a\tb\n", {.delimiter = '\t'}) == Records{{"a", "b"}});
    CHECK(records_of("a,b;c\n", {.delimiter = ';'}) == Records{{"a,b", "c"}});
}

TEST_CASE("an empty field is NULL, in quotes it is an empty text", "[files]") {
    CHECK(records_of("a,,\"\"\n") == Records{{"a", "<null>", ""}});
    CHECK(records_of(",\n") == Records{{"<null>", "<null>"}});
    CHECK(records_of(",") == Records{{"<null>", "<null>"}});
    CHECK(records_of("\"\"") == Records{{""}});
    CHECK(records_of("\n\na") == Records{{"<null>"}, {"<null>"}, {"a"}});
}

TEST_CASE("quotes keep delimiters, quotes and line ends", "[files]") {
    CHECK(records_of("\"a,b\",\"c\"\"d\"\n") == Records{{"a,b", "c\"d"}});
    CHECK(records_of("\"a\nb\",\"c\r\nd\"\n") == Records{{"a\nb", "c\r\nd"}});
    CHECK(records_of("\"\"\"\"") == Records{{"\""}});
    CHECK(records_of("\"a\rb\"") == Records{{"a\rb"}});
    CHECK(records_of("\\N,\\.\n\\.\n") == Records{{"\\N", "\\."}, {"\\."}});
}

TEST_CASE("a record knows the line on which it begins", "[files]") {
    CHECK(read({"h\n\"a\nb\"\nc\n"}).lines == std::vector<std::uint64_t>{1, 2, 4});
    CHECK(read({"h\r\n\"a\r\nb\"\r\nc"}).lines == std::vector<std::uint64_t>{1, 2, 4});
}

TEST_CASE("a field knows where it begins, in characters", "[files]") {
    std::vector<TextPlace> places;
    CsvParser parser;
    const auto sink = [&](const CsvRecord& record) {
        for (const auto& field : record.fields) places.push_back(field.place);
    };
    CHECK(parser.feed("\xC3\xBC\xE2\x82\xAC,\"x\",\n,y", sink) == std::nullopt);
    CHECK(parser.finish(sink) == std::nullopt);
    CHECK(places == std::vector<TextPlace>{{1, 1}, {1, 4}, {1, 8}, {2, 1}, {2, 2}});
}

TEST_CASE("a byte order mark is no part of the first field", "[files]") {
    CHECK(
        records_of("\xEF\xBB\xBF"
                   "a,b\n") == Records{{"a", "b"}}
    );
    CHECK(records_of("\xEF\xBB\xBF\"a\"\n") == Records{{"a"}});
    CHECK(records_of("a\xEF\xBB\xBF\n") == Records{{"a\xEF\xBB\xBF"}});
    CHECK(records_of("\xEF\xBB\xBE\n") == Records{{"\xEF\xBB\xBE"}});  // Not quite.
    CHECK(records_of("\xEF\xBB\xBF").empty());
    CHECK(error_of("\xEF\xBB") == at(1, 1, "byte sequence is not UTF-8"));
    CHECK(
        error_of("\xEF"
                 "a") == at(1, 1, "byte sequence is not UTF-8")
    );
}

TEST_CASE("what is not CSV is an error with its place", "[files]") {
    CHECK(error_of("a\nb\"c\n") == at(2, 2, "quote within a field that does not begin with one"));
    CHECK(error_of("a,\"b\"c\n") == at(1, 6, "text after a closing quote"));
    CHECK(error_of("a,\"b\" \n") == at(1, 6, "text after a closing quote"));
    CHECK(error_of("a\n1,\"b\nc\nd") == at(2, 3, "quote is never closed"));
    CHECK(error_of("a\rb") == at(1, 3, "carriage return without a line feed"));
    CHECK(error_of("a\r") == at(1, 3, "carriage return without a line feed"));
    CHECK(error_of(std::string_view{"a\nb\0c", 5}) == at(2, 2, "NUL character"));
    CHECK(error_of(std::string_view{"\"\0", 2}) == at(1, 2, "NUL character"));
}

TEST_CASE("what is not UTF-8 is an error with its place", "[files]") {
    const auto bad = [](std::uint64_t line, std::uint64_t column) {
        return at(line, column, "byte sequence is not UTF-8");
    };
    CHECK(error_of("a\nb,\xFF\n") == bad(2, 3));
    CHECK(error_of("\xC3(") == bad(1, 1));
    CHECK(error_of("\xC0\x80") == bad(1, 1));          // overlong
    CHECK(error_of("\xE0\x80\x80") == bad(1, 1));      // overlong
    CHECK(error_of("\xED\xA0\x80") == bad(1, 1));      // a surrogate
    CHECK(error_of("\xF4\x90\x80\x80") == bad(1, 1));  // over U+10FFFF
    CHECK(error_of("\x80") == bad(1, 1));
    CHECK(error_of("a\xE2\x82") == bad(1, 2));
    CHECK(records_of("\xF0\x9F\x90\x98\n") == Records{{"\xF0\x9F\x90\x98"}});
}

TEST_CASE("fields and records have a limit", "[files]") {
    CHECK(records_of("abc\n", {.field_bytes_max = 3}) == Records{{"abc"}});
    CHECK(error_of("x,abcd\n", {.field_bytes_max = 3}) == at(1, 3, "field is longer than 3 bytes"));
    CHECK(records_of("a,b\n", {.fields_max = 2}) == Records{{"a", "b"}});
    CHECK(error_of("a,b,c\n", {.fields_max = 2}) == at(1, 5, "line has more than 2 fields"));
}

TEST_CASE("bytes may be cut anywhere", "[files]") {
    for (const std::string_view text : {
             "\xEF\xBB\xBFid,\"na\"\"me\"\r\n1,\"a\r\nb\"\r\n2,\xC3\xBC,\n",
             "a,b\n\"x\"y",
             "a\xE2\x82\xAC\xFF",
             "\"open",
             "a\rb",
         }) {
        const auto whole = read({text});
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            CHECK(read({text.substr(0, cut), text.substr(cut)}) == whole);
        }
        std::vector<std::string_view> bytes;
        for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
        CHECK(read(bytes) == whole);
    }
}

TEST_CASE("every prefix of a file gives records or an error, and never more records", "[files]") {
    const std::string_view text{"id,\"na\"\"me\"\r\n1,\"a\r\nb\"\r\n2,\xC3\xBC,\n,,\n"};
    const auto whole = read({text});
    REQUIRE(whole.records.size() == 4);
    for (std::size_t size = 0; size < text.size(); ++size) {
        const auto part = read({text.substr(0, size)});
        CHECK(part.records.size() <= whole.records.size());
        for (std::size_t i = 0; i + 1 < part.records.size(); ++i) {
            CHECK(part.records[i] == whole.records[i]);
        }
    }
}

TEST_CASE("after an error nothing else is read", "[files]") {
    CsvParser parser;
    int records = 0;
    const auto count = [&](const CsvRecord&) { ++records; };
    const auto first = parser.feed("a\"\n", count);
    REQUIRE(first);
    CHECK(parser.feed("b\nc\n", count) == first);
    CHECK(parser.finish(count) == first);
    CHECK(records == 0);
}
