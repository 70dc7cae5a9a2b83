#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/target_types.hpp"
#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// Reads the target's catalog.
[[nodiscard]] TargetTypes read_target_types(pq::Connection& target, int source_version);

/// Columns of an existing history table stay what they are: those that were made as text when the
/// target lacked the type of an extension, or a collation, go on as text.
void keep_as_made(pq::Connection& target, HistoryTable& table);

}  // namespace pgchronicle::history_writer::pg
