#include "log/line.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace pgchronicle::log {

namespace {

/// One character of a string: how many bytes it takes, and what it is.
struct Character {
    std::size_t length_bytes{1};
    std::uint32_t code_point{0};
    bool valid{false};  ///< False: one byte that is not part of well-formed UTF-8.
};

/// Reads the character at the front of `text`, which is not empty.
Character front_character(std::string_view text) {
    const auto byte_at = [text](std::size_t index) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[index]));
    };
    const auto first = byte_at(0);
    if (first < 0x80U) return {1, first, true};

    std::size_t length = 0;
    std::uint32_t code_point = 0;
    std::uint32_t smallest = 0;  // Anything below would be an overlong form.
    if ((first & 0xE0U) == 0xC0U) {
        length = 2, code_point = first & 0x1FU, smallest = 0x80U;
    } else if ((first & 0xF0U) == 0xE0U) {
        length = 3, code_point = first & 0x0FU, smallest = 0x800U;
    } else if ((first & 0xF8U) == 0xF0U) {
        length = 4, code_point = first & 0x07U, smallest = 0x10000U;
    }
    if (length == 0 || text.size() < length) return {1, first, false};
    for (std::size_t index = 1; index < length; ++index) {
        if ((byte_at(index) & 0xC0U) != 0x80U) return {1, first, false};
        code_point = (code_point << 6U) | (byte_at(index) & 0x3FU);
    }
    const bool is_surrogate = code_point >= 0xD800U && code_point <= 0xDFFFU;
    if (code_point < smallest || code_point > 0x10FFFFU || is_surrogate) return {1, first, false};
    return {length, code_point, true};
}

/// True for what a terminal or a line-based reader could take as more than a character: controls
/// (C0, DEL, C1), the line and paragraph separators, and the marks that reorder what is shown.
bool is_unprintable(std::uint32_t code_point) {
    return code_point < 0x20U || (code_point >= 0x7FU && code_point <= 0x9FU) ||
           (code_point >= 0x2028U && code_point <= 0x202EU) ||
           (code_point >= 0x2066U && code_point <= 0x2069U);
}

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
