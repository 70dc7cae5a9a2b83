#pragma once

#include "following/change.hpp"
#include "following/changes_sql.hpp"
#include "pq/connection.hpp"

#include <cstddef>
#include <vector>

namespace pgchronicle::following {

/// Thrown where the history no longer reaches as far as is to be shown: nothing was read.
struct SetBack {};

struct PageLimits {
    std::size_t rows{0};
    std::size_t bytes{0};
};

/// How far the next page goes.
struct PagePlan {
    bool nothing{false};  ///< No change in the range.
    /// The changes of the first seq alone are more than a page holds: they are `upto`'s.
    bool large{false};
    Position upto{};  ///< The end of a seq.
};

/// What the target says of changes in order: where they are and how large.
struct SizedPosition {
    pgoutput::Lsn lsn;
    std::uint64_t seq{0};
    std::size_t bytes{0};
};

/// Decides it from the first changes of the range; `complete` when those are all.
/// Never ends within a seq. Pure.
[[nodiscard]] PagePlan
plan_page(const std::vector<SizedPosition>& first, bool complete, const PageLimits& limits);

/// Asks the target for them, and decides.
[[nodiscard]] PagePlan plan_page(
    pq::Connection& target,
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    const PageLimits& limits,
    const Shown& shown
);

/// All changes of the range, in order, with their positions; those that `range.from` has seen of
/// its seq are left out.
[[nodiscard]] std::vector<Change> read_page(
    pq::Connection& target,
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    const Shown& shown
);

/// Runs statements in one round trip and with one snapshot, only reading, with plans that go by the
/// index whatever the statistics say. One result for each. Throws SetBack.
[[nodiscard]] std::vector<pq::Result> read_by_index(
    pq::Connection& target,
    const Shown& shown,
    const std::vector<std::string>& statements
);

/// The rows of changes_sql as changes, in their order; `nth` is not set yet.
[[nodiscard]] std::vector<Change>
changes_of(const pq::Result& rows, const FollowedTable& table, const Wanted& wanted);

}  // namespace pgchronicle::following
