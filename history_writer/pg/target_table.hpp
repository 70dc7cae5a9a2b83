#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/shape_change.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// Column name to type of an existing table; empty when there is none.
[[nodiscard]] std::map<std::string, std::string>
existing_columns(pq::Connection& target, const TargetName& table);

/// Renames columns of the table and its view; in two steps, for names may be swapped. Returns those
/// whose new name an old column still has, which was dropped on the source before: their values
/// have to be copied.
std::vector<ShapeChange::Rename> rename_columns(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<ShapeChange::Rename>& renames
);

/// Names of the row key's columns in the history table, in key order.
[[nodiscard]] std::vector<std::string> key_names(const HistoryTable& table);

/// Makes the schema, unless it is there: then no right to make any is asked for.
void ensure_schema(pq::Connection& target, const std::string& schema);

/// Makes the history table, or what is missing of it: schema, table, columns that the source has
/// gained, readers. Columns whose type has become wider are altered. One transaction, or part of
/// the one that is open.
/// Throws TargetMismatch when somebody else owns it, TableFailure when it is no history table, a
/// column has another type, or the row key has changed.
void ensure_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table
);

/// The errors of ensure_history_table that need nothing to be made. A table that is not there has
/// none.
void check_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table
);

/// The index that finds a key's versions.
void ensure_index(pq::Connection& target, const HistoryTable& table);

/// Lets the history follow its source's new shape. What the source gave old rows without writing
/// WAL, the open versions receive in place; not under the names in `former`, where they hold values
/// of columns that are gone: these were true when the versions began. True: some are left so, and
/// the table has to be compared.
bool follow_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    const ShapeChange& change,
    const std::set<std::string>& former
);

}  // namespace pgchronicle::history_writer::pg
