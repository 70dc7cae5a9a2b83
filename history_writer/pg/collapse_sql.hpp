#pragma once

#include "history_writer/history_table.hpp"

#include <string>

namespace pgchronicle::history_writer::pg {

/// Leaves of what one transaction did to a table its net effect: at most one version or tombstone
/// for each key. For transactions that reached the target in several parts; the builder does the
/// rest. Reads the whole table. Parameter: the transaction's end LSN.
[[nodiscard]] std::string collapse_sql(const HistoryTable& table);

}  // namespace pgchronicle::history_writer::pg
