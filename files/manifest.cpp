#include "files/manifest.hpp"

#include "reading/output.hpp"

#include <string_view>

namespace pgchronicle::files {
namespace {

using reading::append_json_string;

/// A list of what `append` writes of each.
template <typename Items, typename Append>
std::string list_of(const Items& items, Append append) {
    std::string list = "[";
    for (const auto& item : items) {
        if (list.size() > 1) list += ", ";
        append(list, item);
    }
    return list + "]";
}

std::string text_of(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
    std::string out = "{";
    const auto member = [&](std::string_view name, const std::string& value) {
        out += out.size() == 1 ? "\n  " : ",\n  ";
        append_json_string(out, name);
        out += ": " + value;
    };
    member("table", text_of(manifest.table));
    member("pipeline", text_of(manifest.pipeline));
    member("day", text_of(manifest.day));
    member("as_of", text_of(manifest.as_of));
    member("lsn", text_of(to_string(manifest.lsn)));
    member("file", text_of(manifest.file));
    member("format", text_of(manifest.format));
    member("compression", manifest.compression.empty() ? "null" : text_of(manifest.compression));
    member("rows", std::to_string(manifest.rows));
    member("bytes", std::to_string(manifest.bytes));
    member("sha256", text_of(manifest.sha256));
    member("row_key", list_of(manifest.row_key, [](std::string& list, const auto& name) {
               append_json_string(list, name);
           }));
    member("columns", list_of(manifest.columns, [](std::string& list, const auto& column) {
               list += R"({"name": )" + text_of(column.name) + R"(, "type": )" +
                       text_of(column.type) + "}";
           }));
    member("gaps", list_of(manifest.gaps, [](std::string& list, const auto& gap) {
               list += R"({"reason": )" + text_of(gap.reason) + R"(, "from_lsn": )" +
                       text_of(to_string(gap.from)) + R"(, "to_lsn": )" +
                       (gap.to ? text_of(to_string(*gap.to)) : "null") + "}";
           }));
    return out + "\n}\n";
}

}  // namespace pgchronicle::files
