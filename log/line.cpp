#include "log/line.hpp"

#include "log/printable.hpp"

#include <fmt/format.h>

namespace pgchronicle::log {

namespace {

/// Appends `text` for use between double quotes; `json` says what bytes outside UTF-8 become.
void append_escaped(std::string& out, std::string_view text, bool json) {
    while (!text.empty()) {
        const auto character = front_character(text);
        const auto code_point = character.code_point;
        if (!character.valid) {
            out += json ? std::string{"\xEF\xBF\xBD"} : fmt::format("\\x{:02x}", code_point);
        } else if (code_point == '"' || code_point == '\\') {
            out += '\\';
            out += static_cast<char>(code_point);
        } else if (code_point == '\n') {
            out += "\\n";
        } else if (code_point == '\r') {
            out += "\\r";
        } else if (code_point == '\t') {
            out += "\\t";
        } else if (is_unprintable(code_point)) {
            out += fmt::format("\\u{:04x}", code_point);
        } else {
            out += text.substr(0, character.length_bytes);
        }
        text.remove_prefix(character.length_bytes);
    }
}

bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    while (!text.empty()) {
        const auto character = front_character(text);
        const auto code_point = character.code_point;
        if (!character.valid || is_unprintable(code_point) || code_point == ' ' ||
            code_point == '"' || code_point == '\\' || code_point == '=') {
            return true;
        }
        text.remove_prefix(character.length_bytes);
    }
    return false;
}

void append_word(std::string& out, std::string_view text) {
    if (!needs_quotes(text)) {
        out += text;
        return;
    }
    out += '"';
    append_escaped(out, text, false);
    out += '"';
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, true);
    out += '"';
}

}  // namespace

void append_text(
    std::string& out,
    Level level,
    std::string_view event,
    std::span<const Field> fields
) {
    // Padded to the longest level, so that event names stand in one column.
    out += fmt::format("{:<5} ", to_string(level));
    append_word(out, event);
    for (const auto& field : fields) {
        out += ' ';
        append_word(out, field.key);
        out += '=';
        append_word(out, field.value);
    }
}

void append_json(
    std::string& out,
    Level level,
    std::string_view event,
    std::span<const Field> fields
) {
    out += "\"level\":";
    append_json_string(out, to_string(level));
    out += ",\"event\":";
    append_json_string(out, event);
    for (const auto& field : fields) {
        out += ',';
        append_json_string(out, field.key);
        out += ':';
        if (field.is_literal) {
            out += field.value;
        } else {
            append_json_string(out, field.value);
        }
    }
    out += '}';
}

}  // namespace pgchronicle::log
