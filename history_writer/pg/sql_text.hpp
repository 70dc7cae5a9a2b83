#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/history_table.hpp"

#include <string>
#include <vector>

// The SQL that writes one history table. Text only; nothing is run here. Every name is quoted by
// pq/quoting, every value is a parameter or goes through COPY.

namespace pgchronicle::history_writer::pg {

/// CREATE TABLE; the index is apart, for it is built after the first load.
[[nodiscard]] std::string create_table_sql(const HistoryTable& table);
[[nodiscard]] std::string create_index_sql(const HistoryTable& table);
/// The view of open versions and the two as-of functions.
[[nodiscard]] std::vector<std::string> create_readers_sql(const HistoryTable& table);

[[nodiscard]] std::string copy_sql(const HistoryTable& table, WireForm form);

/// Closes versions given by arrays: one per key column, then valid_to, lsn_to. Each close is one
/// descent of the index to the newest version of its key. Affects as many rows as it finds open.
[[nodiscard]] std::string
close_sql(const HistoryTable& table, const std::vector<std::string>& key_types);
/// Which of these keys had more than one open version, after close_sql, with its parameters: up to
/// five rows of text.
[[nodiscard]] std::string
doubled_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types);
/// Which of these keys have no open version: parameters as close_sql's keys. Rows of text.
[[nodiscard]] std::string
missing_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types);

/// Closes every open version and adds tombstones; one row: how many of each. Parameters: time, LSN,
/// change_seq.
[[nodiscard]] std::string end_versions_sql(const HistoryTable& table, Operation operation);

}  // namespace pgchronicle::history_writer::pg
