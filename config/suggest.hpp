#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pgchronicle::config {

/// How many letters must be changed, added, dropped or swapped with their neighbour to get from
/// one word to the other.
[[nodiscard]] std::size_t edit_distance(std::string_view one, std::string_view other);

/// The word that `word` is most likely a misspelling of, if any is near enough.
[[nodiscard]] std::optional<std::string>
nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace pgchronicle::config
