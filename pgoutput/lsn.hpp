#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::pgoutput {

/// A position in the source's WAL: a byte offset since the cluster was made.
/// No implicit conversions and no arithmetic but `bytes_between`.
/// Source: manual, "pg_lsn Type".
struct Lsn {
    std::uint64_t value{0};

    constexpr Lsn() = default;
    constexpr explicit Lsn(std::uint64_t v) : value{v} {}

    friend constexpr auto operator<=>(const Lsn&, const Lsn&) = default;

    /// 0/0 never is a valid position; PostgreSQL calls it invalid.
    [[nodiscard]] constexpr bool valid() const { return value != 0; }
};

/// Bytes from `from` up to `to`; 0 when `to` is not after `from`.
[[nodiscard]] constexpr std::uint64_t bytes_between(Lsn from, Lsn to) {
    return to > from ? to.value - from.value : 0;
}

/// PostgreSQL's text form, "16/B374D848".
[[nodiscard]] std::string to_string(Lsn lsn);

/// Reads PostgreSQL's text form; nothing for any other text.
[[nodiscard]] std::optional<Lsn> parse_lsn(std::string_view text);

}  // namespace pgchronicle::pgoutput
