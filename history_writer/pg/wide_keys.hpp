#pragma once

#include "history_writer/history_table.hpp"
#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// Whether the index of `table`, which has a key, holds hashes: what `key_hashed` has to be.
[[nodiscard]] bool keys_are_hashed(pq::Connection& target, const HistoryTable& table);

/// Whether `error` says that a key of `table` is too wide for an entry of its index.
[[nodiscard]] bool key_is_too_wide(const pq::Error& error, const HistoryTable& table);

/// Gives `table` an index of hashes, for good, after an insert has failed with `error`. Ends the
/// transaction that failed. Never returns: throws pq::Error, which tells to write it again.
[[noreturn]] void
hash_keys(pq::Connection& target, const HistoryTable& table, const pq::Error& error);

}  // namespace pgchronicle::history_writer::pg
