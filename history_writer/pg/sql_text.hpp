#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/history_table.hpp"

#include <string>
#include <vector>

// The SQL that writes one history table. Text only; nothing is run here. Every name is quoted by
// pq/quoting, every value is a parameter or goes through COPY.

namespace pgchronicle::history_writer::pg {

/// "schema"."table" of the history table.
[[nodiscard]] std::string qualified_name(const HistoryTable& table);

/// CREATE TABLE; the index is apart, for it is built after the first load.
[[nodiscard]] std::string create_table_sql(const HistoryTable& table);
[[nodiscard]] std::string create_index_sql(const HistoryTable& table);
/// The view of open versions and the two as-of functions.
[[nodiscard]] std::vector<std::string> create_readers_sql(const HistoryTable& table);

/// Columns as COPY and INSERT list them: the source's, then ours.
[[nodiscard]] std::string column_list(const HistoryTable& table);
/// ROW(...) of the source's columns, each after `prefix`.
[[nodiscard]] std::string row_of(const HistoryTable& table, const std::string& prefix);
/// The row key as pgchronicle.pending_value holds it.
[[nodiscard]] std::string key_text(const HistoryTable& table, const std::string& prefix);
[[nodiscard]] std::string copy_sql(const HistoryTable& table, WireForm form);

/// Closes versions given by arrays: one per key column, then valid_to, lsn_to. Each close is one
/// descent of the index to the newest version of its key. Affects as many rows as it finds open.
[[nodiscard]] std::string
close_sql(const HistoryTable& table, const std::vector<std::string>& key_types);
/// Which of these keys have no open version: parameters as close_sql's keys. Rows of text.
[[nodiscard]] std::string
missing_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types);

/// The session's staging table for rows that the target completes: the history table's columns,
/// then stage_unknown (bitmap), stage_nth, and a stage_base column for each key column.
[[nodiscard]] std::string stage_name(std::size_t number);
[[nodiscard]] std::string create_stage_sql(const HistoryTable& table, const std::string& stage);
[[nodiscard]] std::string
copy_stage_sql(const HistoryTable& table, const std::string& stage, WireForm form);
/// Moves staged rows into history, taking unknown columns from the newest version of the base key.
/// Below the seam a row without a base is kept, its unknown columns NULL.
[[nodiscard]] std::string fill_sql(const HistoryTable& table, const std::string& stage);
/// stage_nth of staged rows that say what the open version of their base key says.
[[nodiscard]] std::string unchanged_sql(const HistoryTable& table, const std::string& stage);
/// Records which columns stayed unknown. Parameter: the pipeline.
[[nodiscard]] std::string pending_sql(const HistoryTable& table, const std::string& stage);
/// One gap row for the values of this table that wait for nobody. Parameters: pipeline, from, to.
[[nodiscard]] std::string unknown_values_sql(const HistoryTable& table);
/// Inserts staged old rows (closed SNAPSHOT versions) whose key has no open version.
[[nodiscard]] std::string insert_unseen_sql(const HistoryTable& table, const std::string& stage);
/// Closes, for staged rows of a table without a key, the nth newest identical open version.
[[nodiscard]] std::string close_staged_sql(const HistoryTable& table, const std::string& stage);

/// Closes every open version and adds tombstones. Parameters: time, LSN, change_seq.
[[nodiscard]] std::string end_versions_sql(const HistoryTable& table, Operation operation);

}  // namespace pgchronicle::history_writer::pg
