#pragma once

#include "history_writer/pg/table_state.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "verify/compared_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::verify {

/// A table that the history follows or has followed, as the target knows it.
struct FollowedTable {
    history_writer::pg::TableState state;
    std::optional<pgoutput::Lsn> seam;             ///< Its rows were copied here.
    std::optional<pgoutput::Lsn> compared;         ///< And compared with the source once more.
    std::optional<pgoutput::Lsn> consistent_from;  ///< Everything since is known.
    std::optional<pgoutput::Lsn> left_behind;      ///< It is in quarantine since.
    HistoryFacts facts;
};

/// All tables of the pipeline, also those that were imported. Errors: pq::Error.
[[nodiscard]] std::vector<FollowedTable>
read_followed(pq::Connection& target, const std::string& pipeline);

/// Locks the history table (ACCESS SHARE), and says why the transaction cannot see it as it was:
/// a table that was written anew is empty, or another one, to an older snapshot. Empty: it can.
[[nodiscard]] std::string lock_history(pq::Connection& target, const HistoryFacts& facts);

}  // namespace pgchronicle::verify
