#pragma once

#include "following/position.hpp"
#include "reading/rows.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace pgchronicle::following {

/// What the changes of one table have in common.
struct ChangedTable {
    std::string name;                      ///< schema.table of the source.
    std::vector<reading::Column> columns;  ///< The source's, as the history table has them.
    std::vector<std::size_t> key;          ///< Indexes into `columns`; empty: no key.
};

/// A version as it began, or a tombstone.
struct Change {
    std::shared_ptr<const ChangedTable> table;
    std::string operation;  ///< As in operation_type.
    /// Where a follower is that has seen this change and all before it.
    Position position;
    std::string valid_from;              ///< Commit time: 2026-11-21 11:55:29.5+00
    std::vector<reading::Value> values;  ///< One for each column.

    /// The row as text that is the same for all versions of it: its key, or all of it without one.
    /// Other rows may have the same: values that can be equal and read differently are not in it.
    [[nodiscard]] std::string row_identity() const;
};

/// One object on one line, without the line's end:
/// {"table":"operations.orders","op":"UPDATE","lsn":"0/1A2B","seq":3,"position":"0/1A2B/3",
///  "valid_from":"…","key":{"order_id":7},"values":{"order_id":7,"status":"PENDING",…}}
/// `key` is {} for a table without one. When the version ends is not in it: that may not have
/// happened yet, and is a change of its own.
void append_json(std::string& out, const Change& change);

}  // namespace pgchronicle::following
