#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "verify/compared_table.hpp"
#include "verify/known_gaps.hpp"
#include "verify/report.hpp"

#include <cstddef>
#include <cstdint>

namespace pgchronicle::verify {

struct CompareOptions {
    pgoutput::Lsn lsn;
    std::size_t keys_max{20};  ///< Differences that are told one by one.
    std::uint64_t rows_expected{0};
    /// Rows that the history has never seen are no differences: nobody has copied them.
    bool unseen_allowed{false};
};

/// Compares the rows of one table. Both connections are in a transaction whose snapshot stays.
///
/// Each side is read once for digests of buckets of rows. Where those differ it is read again, for
/// keys and digests of the rows in these buckets, sorted by the server, and merged here; and a
/// third time for digests of single columns, of the rows that are told. Memory is bounded by the
/// number of buckets and of keys that are told.
///
/// Fills rows, versions, differences, gaps, unseen and keys of `report`. Errors: pq::Error.
void compare_rows(
    pq::Connection& source,
    pq::Connection& target,
    const ComparedTable& table,
    const KnownGaps& gaps,
    const CompareOptions& options,
    TableReport& report
);

}  // namespace pgchronicle::verify
