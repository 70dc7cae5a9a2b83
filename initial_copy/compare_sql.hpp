#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"

#include <string>
#include <vector>

// The SQL that compares a copy of a table with its history; text only.

namespace pgchronicle::initial_copy {

/// Statements that make the open versions equal to the staged rows, in order. Where a row differs
/// its version is closed and another one begins; a row that is gone gets a tombstone; one that was
/// not there begins. All at `seam` and `time` (timestamptz text), marked with `operation`.
[[nodiscard]] std::vector<std::string> compare_sql(
    const history_writer::HistoryTable& table,
    const std::string& staging,
    history_writer::Operation operation,
    pgoutput::Lsn seam,
    const std::string& time
);

}  // namespace pgchronicle::initial_copy
