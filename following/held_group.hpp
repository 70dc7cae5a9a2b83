#pragma once

#include "following/change.hpp"
#include "following/changes_sql.hpp"
#include "following/page.hpp"
#include "pq/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pgchronicle::following {

/// Changes of one seq that are more than a page: all rows of a copy, or of a TRUNCATE. They are
/// sorted once, and read through a cursor that the target keeps beyond its transaction, so that
/// none is open while they are worked on.
class HeldGroup {
public:
    /// `at` is the seq; `seen` says how many of it were seen, if it is of that seq.
    HeldGroup(
        std::vector<FollowedTable> tables,
        Wanted wanted,
        const Position& at,
        const Position& seen,
        Shown shown
    );

    /// The next of them. Goes on where it was, and on another connection begins the cursor again.
    /// When it throws, it has not moved.
    [[nodiscard]] std::vector<Change> next(pq::Connection& target, const PageLimits& limits);
    [[nodiscard]] bool finished() const { return finished_; }
    [[nodiscard]] pgoutput::Lsn lsn() const { return range_.upto.lsn; }
    [[nodiscard]] std::uint64_t seq() const { return range_.upto.seq; }

private:
    std::vector<Change> page(pq::Connection& target, const PageLimits& limits);
    void count(pq::Connection& target);
    void open(pq::Connection& target, std::size_t table, std::uint64_t skip);
    void find_place(pq::Connection& target);
    std::vector<Change> fetch(pq::Connection& target, std::size_t rows, std::size_t& bytes);

    std::vector<FollowedTable> tables_;
    Wanted wanted_;
    Shown shown_;
    Range range_;
    std::uint64_t seen_{0};              ///< Of all tables.
    std::vector<std::uint64_t> counts_;  ///< Of each table.
    std::uint64_t total_{0};
    std::size_t table_{0};    ///< That the cursor reads.
    std::string cursor_;      ///< Its name; empty: none is open.
    int backend_{0};          ///< Whose it is.
    std::size_t bytes_each_;  ///< Of a row, by those read last.
    bool finished_{false};
};

}  // namespace pgchronicle::following
