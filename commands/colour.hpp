#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Colours are for people: none where the output is a file or a pipe.

namespace pgchronicle::commands {

enum class Style : std::uint8_t { plain, bold, red, green, yellow };

/// Whether standard output shows colours: it is a terminal, and neither NO_COLOR nor TERM=dumb says
/// otherwise.
/// Source: https://no-color.org
[[nodiscard]] bool stdout_shows_colours();

/// `text` in a style; as it is where `colours` is false.
[[nodiscard]] std::string styled(std::string_view text, Style style, bool colours);

}  // namespace pgchronicle::commands
