#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What may be shown as it is, on a terminal and in a log.

namespace pgchronicle::log {

/// One character of a string: how many bytes it takes, and what it is.
struct Character {
    std::size_t length_bytes{1};
    std::uint32_t code_point{0};
    bool valid{false};  ///< False: one byte that is not part of well-formed UTF-8.
};

/// Reads the character at the front of `text`, which is not empty.
[[nodiscard]] Character front_character(std::string_view text);

/// True for what a terminal or a line-based reader could take as more than a character: controls
/// (C0, DEL, C1), the line and paragraph separators, and the marks that reorder what is shown.
[[nodiscard]] bool is_unprintable(std::uint32_t code_point);

/// `text` on one line and safe for a terminal: what is unprintable, and bytes that are not UTF-8,
/// become escapes. What is over `width_max` characters is cut, ending with an ellipsis. 0: no
/// limit.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t width_max = 0);

}  // namespace pgchronicle::log
