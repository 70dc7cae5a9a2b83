#pragma once

#include "config/settings.hpp"
#include "following/changes_sql.hpp"
#include "pq/connection.hpp"

#include <string>

namespace pgchronicle::following {

/// Makes the index by (LSN, seq) that following a large table takes, without keeping anybody from
/// writing. False where somebody else is just making one of the pipeline's: ask again later.
///
/// Not made with the table, since it costs each row that is written, also where nobody follows.
/// Throws reading::Error (not_ready) where this role may not, with the SQL for one who may;
/// pq::Error. Not within a transaction.
/// Source: docs/following.md, "The index".
[[nodiscard]] bool make_change_index(
    pq::Connection& target,
    const std::string& pipeline,
    const FollowedTable& table,
    const config::HistoryColumnNames& names
);

}  // namespace pgchronicle::following
