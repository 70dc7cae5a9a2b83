#pragma once

#include "config/settings.hpp"
#include "following/position.hpp"

#include <string>
#include <vector>

// What a follower asks the target, as text; nothing is run here. LSNs and numbers are ours and
// stand in it as literals, for DECLARE takes no parameters.

namespace pgchronicle::following {

/// A history table that is followed.
struct FollowedTable {
    std::string name;  ///< schema.table of the source.
    std::string target_schema;
    std::string target_table;
    std::vector<std::string> row_key;
};

/// Which versions are changes.
struct Wanted {
    config::HistoryColumnNames names;
    std::vector<std::string> operations;  ///< None: all.
    bool snapshot{false};                 ///< Copied rows, too.
};

/// Positions of versions: after `from`, up to `upto`, both as Position has them. Where only a part
/// of the last seq was seen, all of it is in the range.
struct Range {
    Position from;
    Position upto;
};

/// What is shown of a pipeline: its history up to a checkpoint.
struct Shown {
    std::string pipeline;
    pgoutput::Lsn upto;
};

/// One row: whether the history still reaches that far. A replay sets it back.
[[nodiscard]] std::string reaches_sql(const Shown& shown);

/// $1 the pipeline. One row or none: position, whether the server is a standby, insert and flush
/// positions of its WAL (NULL on a standby).
[[nodiscard]] std::string checkpoint_sql();

/// $1 the pipeline, $2 and $3 our columns of LSN and seq. For each history table: names of source
/// and target, row key, whether rows are still to be copied or compared, whether it lacks an index
/// by LSN and seq. By name of the source.
[[nodiscard]] std::string tables_sql(bool quarantines);

/// LSN, seq and size in bytes of the first `count` changes of all tables, in order.
[[nodiscard]] std::string positions_sql(
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    std::size_t count
);

/// LSN, seq, operation and valid_from, then the whole version, in the order of changes.
[[nodiscard]] std::string
changes_sql(const FollowedTable& table, const Wanted& wanted, const Range& range);

/// How many those are.
[[nodiscard]] std::string
count_sql(const FollowedTable& table, const Wanted& wanted, const Range& range);

/// Columns that changes_sql puts before the version's.
inline constexpr int leading_columns = 4;

}  // namespace pgchronicle::following
