#pragma once

#include "history_writer/history_table.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

// What the statements on a history table are made of.

namespace pgchronicle::history_writer::pg {

/// Our own columns, quoted, under the names the configuration gives them.
struct Names {
    explicit Names(const config::HistoryColumnNames& names);

    std::string valid_from;
    std::string valid_to;
    std::string is_current;
    std::string operation_type;
    std::string lsn_from;
    std::string lsn_to;
    std::string change_seq;
};

/// How many those are.
constexpr std::size_t own_columns = 7;

/// "schema"."table" of the history table.
[[nodiscard]] std::string qualified_name(const HistoryTable& table);
/// The column's type, with its collation where that is one of ours.
[[nodiscard]] std::string collated_type(const HistoryTable& table, const HistoryColumn& column);
/// Columns as COPY and INSERT list them: the source's, then ours.
[[nodiscard]] std::string column_list(const HistoryTable& table);
/// Ours only.
[[nodiscard]] std::string own_column_list(const HistoryTable& table);
/// "a", "b" with a prefix before each: source columns only.
[[nodiscard]] std::string source_columns(const HistoryTable& table, const std::string& prefix);
/// ROW(...) of the source's columns, each after `prefix`.
[[nodiscard]] std::string row_of(const HistoryTable& table, const std::string& prefix);
/// Hash of the row, by which one without a key is found in the index; the first 256 columns only,
/// for an index has no room to name more. Equal rows have the same, not the other way round.
[[nodiscard]] std::string row_hash(const HistoryTable& table, const std::string& prefix);
/// The columns that row_hash looks at.
[[nodiscard]] std::vector<std::string> hashed_columns(const HistoryTable& table);
/// The row key as pgchronicle.pending_value holds it.
[[nodiscard]] std::string key_text(const HistoryTable& table, const std::string& prefix);
/// Selects from the newest version of a key, by a backward scan that stops at its first row.
/// `key(i)` is the SQL of key column i's value; the version is "v".
[[nodiscard]] std::string newest_version(
    const HistoryTable& table,
    const std::string& select,
    const std::function<std::string(std::size_t)>& key
);
/// The same of the newest `count` versions, the newest first.
[[nodiscard]] std::string newest_versions(
    const HistoryTable& table,
    const std::string& select,
    const std::function<std::string(std::size_t)>& key,
    int count
);
/// The form as COPY names it.
[[nodiscard]] const char* form_name(WireForm form);

}  // namespace pgchronicle::history_writer::pg
