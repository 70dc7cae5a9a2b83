#pragma once

#include <compare>
#include <cstdint>

namespace pgchronicle::pgoutput {

/// Microseconds since 2000-01-01 00:00 UTC, signed: PostgreSQL's `timestamptz`, on the wire and
/// in binary COPY alike.
struct PgTimestamp {
    std::int64_t microseconds{0};

    constexpr PgTimestamp() = default;
    constexpr explicit PgTimestamp(std::int64_t us) : microseconds{us} {}

    friend constexpr auto operator<=>(const PgTimestamp&, const PgTimestamp&) = default;
};

/// Seconds between the Unix epoch and PostgreSQL's.
inline constexpr std::int64_t unix_to_pg_epoch_seconds = 946'684'800;

}  // namespace pgchronicle::pgoutput
