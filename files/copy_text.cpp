#include "files/copy_text.hpp"

namespace pgchronicle::files {
namespace {

char unescaped(char c) {
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    default:
        return c;
    }
}

std::optional<std::string> value_of(std::string_view field) {
    if (field == "\\N") return std::nullopt;
    std::string value;
    value.reserve(field.size());
    for (std::size_t i = 0; i < field.size(); ++i) {
        const bool escape = field[i] == '\\' && i + 1 < field.size();
        value += escape ? unescaped(field[++i]) : field[i];
    }
    return value;
}

}  // namespace

void append_copy_field(std::string& out, std::optional<std::string_view> value) {
    if (!value) {
        out += "\\N";
        return;
    }
    for (const char c : *value) {
        switch (c) {
        case '\\':
            out += "\\\\";
            break;
        case '\t':
            out += "\\t";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        default:
            out += c;
        }
    }
}

std::vector<std::optional<std::string>> copy_fields(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    std::vector<std::optional<std::string>> fields;
    for (;;) {
        // A tab within a value is written \t.
        const auto tab = line.find('\t');
        fields.push_back(value_of(line.substr(0, tab)));
        if (tab == std::string_view::npos) return fields;
        line.remove_prefix(tab + 1);
    }
}

}  // namespace pgchronicle::files
