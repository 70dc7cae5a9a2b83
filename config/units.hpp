#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::config {

/// Reads `50ms`, `2s`, `5min`, `1h`, `7d`; a bare 0 needs no unit. Nothing for anything else, a
/// value beyond what milliseconds can hold included.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Reads bytes: `512KiB`, `32MiB`, `1GiB`, `1TiB`, `100B` or a plain number. MB and the like are
/// refused, since some mean 1000 by them and PostgreSQL means 1024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// Reads a whole number without sign.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text);

/// The shortest text that `parse_duration` and `parse_size` read back as the same value.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace pgchronicle::config
