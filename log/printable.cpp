#include "log/printable.hpp"

#include <fmt/format.h>

namespace pgchronicle::log {

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

bool is_unprintable(std::uint32_t code_point) {
    return code_point < 0x20U || (code_point >= 0x7FU && code_point <= 0x9FU) ||
           (code_point >= 0x2028U && code_point <= 0x202EU) ||
           (code_point >= 0x2066U && code_point <= 0x2069U);
}

std::string one_line(std::string_view text, std::size_t width_max) {
    std::string line;
    std::size_t width = 0;
    for (auto rest = text; !rest.empty(); ++width) {
        if (width_max != 0 && width == width_max) return line + "\u2026";
        const auto character = front_character(rest);
        const auto code_point = character.code_point;
        if (code_point == '\n') {
            line += "\\n";
        } else if (code_point == '\t') {
            line += "\\t";
        } else if (!character.valid || (code_point < 0x80U && is_unprintable(code_point))) {
            line += fmt::format("\\x{:02x}", code_point);
        } else if (is_unprintable(code_point)) {
            line += fmt::format("\\u{:04x}", code_point);
        } else {
            line += rest.substr(0, character.length_bytes);
        }
        rest.remove_prefix(character.length_bytes);
    }
    return line;
}

}  // namespace pgchronicle::log
