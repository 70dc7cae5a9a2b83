#pragma once

#include "config/settings.hpp"
#include "files/import.hpp"
#include "history_writer/history_table.hpp"
#include "pq/connection.hpp"

#include <string>
#include <vector>

namespace pgchronicle::files {

/// The table that a file is imported into: name, columns with their types, key. Where the history
/// has the table, it has all of its columns; it may gain some. Reads the target only.
/// Throws Error: a pipeline writes the table, a column of the key or of the history is missing, a
/// column has one of our own names, a type is not known.
[[nodiscard]] history_writer::HistoryTable plan_imported_table(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request,
    const std::vector<std::string>& header
);

/// Throws Error where something that has to come first for that day has not come.
void require_inputs(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request
);

}  // namespace pgchronicle::files
