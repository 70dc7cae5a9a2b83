#pragma once

#include "history_writer/history_table.hpp"

#include <cstddef>
#include <functional>
#include <string>

// How SQL finds the versions of a key. Text only; nothing is run here.
// Source: docs/decisions/0004-index-and-close.md, docs/decisions/0007-wide-keys.md.

namespace pgchronicle::history_writer::pg {

/// Column i of the row key, quoted.
[[nodiscard]] std::string key_column(const HistoryTable& table, std::size_t i);

/// Name of the index that finds a key's versions, neither quoted nor qualified.
[[nodiscard]] std::string key_index_name(const HistoryTable& table);

/// CREATE INDEX IF NOT EXISTS: on the key or, where one of the table's keys is too wide for an
/// index entry, on its hash.
[[nodiscard]] std::string create_key_index_sql(const HistoryTable& table);

/// Puts an index on the hash in the place of the one on the key; one transaction.
[[nodiscard]] std::string hash_key_index_sql(const HistoryTable& table);

/// Condition for a row, whose columns stand after `prefix`, to have the key whose column i is
/// `key(i)`. With `key_hashed` the hash stands in it, too, as the index has it.
[[nodiscard]] std::string key_matches(
    const HistoryTable& table,
    const std::string& prefix,
    const std::function<std::string(std::size_t)>& key
);

}  // namespace pgchronicle::history_writer::pg
