#include "files/csv_file.hpp"

#include "files/digest.hpp"
#include "files/error.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <zlib.h>

namespace pgchronicle::files {
namespace {

namespace fs = std::filesystem;

/// A file, read through zlib, which takes what is not compressed as it is.
class Input {
public:
    explicit Input(const fs::path& path) : path_{path} {
        std::error_code code;
        const bool folder = fs::is_directory(path, code);
        file_.reset(gzopen(path.c_str(), "rb"));
        if (!file_ || folder) fail(folder ? EISDIR : errno);
    }

    /// Empty at the end.
    std::string_view read() {
        const int bytes =
            gzread(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
        if (bytes > 0) return {buffer_.data(), static_cast<std::size_t>(bytes)};
        int error_number = Z_OK;
        const std::string what = gzerror(file_.get(), &error_number);
        if (error_number == Z_ERRNO) fail(errno);
        if (bytes < 0 || error_number != Z_OK) {
            throw Error{
                {.fault = Fault::content,
                 .primary = "could not read \"" + path_.string() + "\": " + what}};
        }
        return {};
    }

private:
    [[noreturn]] void fail(int error_number) const {
        throw system_error("could not read \"" + path_.string() + "\"", error_number);
    }

    struct Close {
        void operator()(gzFile_s* file) const { gzclose(file); }
    };

    fs::path path_;
    std::unique_ptr<gzFile_s, Close> file_;
    std::array<char, 64UL << 10U> buffer_{};
};

Error at_place(const fs::path& path, const TextPlace& place, const std::string& what) {
    return Error{{.fault = Fault::content, .primary = place_in(path, place) + ": " + what}};
}

/// Parses the whole file, or until `sink` says that it has enough.
std::string parse(
    const fs::path& path,
    const CsvOptions& options,
    const CsvParser::Sink& sink,
    const std::function<bool()>& enough
) {
    Input input{path};
    CsvParser parser{options};
    Digest digest;
    for (;;) {
        const auto bytes = input.read();
        digest.add(bytes);
        const auto error = bytes.empty() ? parser.finish(sink) : parser.feed(bytes, sink);
        if (enough()) return {};
        if (error) throw at_place(path, error->place, error->what);
        if (bytes.empty()) return digest.hex();
    }
}

void check_header(const fs::path& path, const CsvRecord& record) {
    /// NAMEDATALEN - 1.
    constexpr std::size_t name_bytes_max = 63;
    std::set<std::string> names;
    for (const auto& field : record.fields) {
        if (field.text.empty()) throw at_place(path, field.place, "column without a name");
        if (field.text.size() > name_bytes_max) {
            throw at_place(path, field.place, "column name is longer than 63 bytes");
        }
        if (!names.insert(field.text).second) {
            throw at_place(path, field.place, "column \"" + field.text + "\" appears twice");
        }
    }
}

}  // namespace

std::string place_in(const fs::path& path, const TextPlace& place) {
    return fmt::format(
        "{}, line {}, column {}", path.filename().string(), place.line, place.column
    );
}

std::vector<std::string> read_header(const fs::path& path, const CsvOptions& options) {
    std::vector<std::string> header;
    const auto take = [&](const CsvRecord& record) {
        if (!header.empty()) return;
        check_header(path, record);
        for (const auto& field : record.fields) header.push_back(field.text);
    };
    parse(path, options, take, [&] { return !header.empty(); });
    if (!header.empty()) return header;
    throw Error{
        {.fault = Fault::content,
         .primary = "file \"" + path.string() + "\" is empty",
         .hint = "Its first line has to name the columns."}};
}

CsvContent read_rows(
    const fs::path& path,
    const CsvOptions& options,
    const std::vector<std::string>& header,
    const std::function<void(const CsvRecord&)>& sink
) {
    CsvContent content;
    bool in_header = true;
    const auto take = [&](const CsvRecord& record) {
        if (in_header) {
            in_header = false;
            std::vector<std::string> names;
            for (const auto& field : record.fields) names.push_back(field.text);
            if (names != header) {
                throw at_place(path, {record.line, 1}, "the file has changed meanwhile");
            }
            return;
        }
        // A line without anything is a row only where there is one column.
        if (record.blank() && header.size() > 1) return;
        if (record.fields.size() != header.size()) {
            const bool more = record.fields.size() > header.size();
            throw at_place(
                path,
                more ? record.fields[header.size()].place : record.fields.back().place,
                fmt::format(
                    "line has {} fields, and the first line {}", record.fields.size(), header.size()
                )
            );
        }
        ++content.rows;
        sink(record);
    };
    content.sha256 = parse(path, options, take, [] { return false; });
    return content;
}

}  // namespace pgchronicle::files
