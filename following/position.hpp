#pragma once

#include "pgoutput/lsn.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::following {

/// Up to where changes have been seen: those of transactions that end before `lsn`, of that one
/// those before `seq`, and of those with this very seq `nth`, or all of them.
///
/// Several changes have one seq where one statement of the source makes several versions: the end
/// of a key and the beginning of another, all rows of a TRUNCATE, all rows of a copy.
struct Position {
    static constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
    /// What change_seq cannot pass: it is a bigint.
    static constexpr std::uint64_t seq_max = std::numeric_limits<std::int64_t>::max();

    pgoutput::Lsn lsn{};
    std::uint64_t seq{0};
    std::uint64_t nth{all};

    /// Before everything, the copied rows included.
    [[nodiscard]] static Position beginning() { return {{}, 0, 0}; }
    /// Everything that is visible at `lsn`.
    [[nodiscard]] static Position after(pgoutput::Lsn lsn) { return {lsn, seq_max, all}; }

    friend auto operator<=>(const Position&, const Position&) = default;
};

/// "beginning", an LSN ("16/B374D848": everything visible there), LSN and seq ("16/B374D848/12"),
/// or that within a seq ("16/B374D848/12+3": three of its changes). Nothing for any other text.
[[nodiscard]] std::optional<Position> parse_position(std::string_view text);

/// The same text; also the id of an event, with which a follower resumes exactly after it.
[[nodiscard]] std::string to_string(const Position& position);

}  // namespace pgchronicle::following
