#pragma once

#include "history_writer/history_table.hpp"

#include <cstddef>
#include <string>

// The SQL of rows that take a stop on a staging table, because the target has to complete, find or
// compare them. Text only; nothing is run here.

namespace pgchronicle::history_writer::pg {

/// The session's staging table for rows that the target completes: the history table's columns,
/// then pgchronicle_unknown (bitmap), pgchronicle_nth, and a pgchronicle_base column for each key
/// column.
[[nodiscard]] std::string stage_name(std::size_t number);
/// How many columns those after the history table's are.
[[nodiscard]] std::size_t instruction_columns(const HistoryTable& table);
/// Whether one table has no room for all these. Then it has the source's columns, and another one
/// the rest; pgchronicle_row, the last column of both, says what belongs together. The statements
/// below read either kind.
[[nodiscard]] bool stage_is_split(const HistoryTable& table);
[[nodiscard]] std::string create_stage_sql(const HistoryTable& table, const std::string& stage);
[[nodiscard]] std::string empty_stage_sql(const HistoryTable& table, const std::string& stage);
[[nodiscard]] std::string drop_stage_sql(const HistoryTable& table, const std::string& stage);
[[nodiscard]] std::string
copy_stage_sql(const HistoryTable& table, const std::string& stage, WireForm form);
/// Of a split one: the other table.
[[nodiscard]] std::string
copy_rest_sql(const HistoryTable& table, const std::string& stage, WireForm form);
/// Moves staged rows into history, taking unknown columns from the newest version of the base key.
/// A row without a base (pgchronicle_nth -1, or not found where that may be) keeps NULL in them.
[[nodiscard]] std::string fill_sql(const HistoryTable& table, const std::string& stage);
/// pgchronicle_nth of staged rows that say what the open version of their base key says. Where only
/// some columns are tracked, these are compared, and the others overwrite the open version's.
[[nodiscard]] std::string unchanged_sql(const HistoryTable& table, const std::string& stage);
/// Records which columns stayed unknown. Parameter: the pipeline.
[[nodiscard]] std::string pending_sql(const HistoryTable& table, const std::string& stage);
/// One gap row for the values of this table that wait for nobody. Parameters: pipeline, from, to.
[[nodiscard]] std::string unknown_values_sql(const HistoryTable& table);
/// Inserts staged old rows (closed SNAPSHOT versions) whose key has no open version.
[[nodiscard]] std::string insert_unseen_sql(const HistoryTable& table, const std::string& stage);
/// Closes, for staged rows of a table without a key, the nth newest identical open version.
[[nodiscard]] std::string close_staged_sql(const HistoryTable& table, const std::string& stage);

}  // namespace pgchronicle::history_writer::pg
