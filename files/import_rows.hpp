#pragma once

#include "config/settings.hpp"
#include "files/csv_file.hpp"
#include "files/import.hpp"
#include "history_writer/history_table.hpp"
#include "pq/connection.hpp"

#include <string>
#include <vector>

// Steps of an import, within its transaction.

namespace pgchronicle::files {

/// Copies the file's rows into a temporary table. Throws Error where a value does not fit its type,
/// or a key is NULL or not unique, with lines and columns of the file.
[[nodiscard]] CsvContent load_rows(
    pq::Connection& target,
    const ImportRequest& request,
    const history_writer::HistoryTable& table,
    const std::vector<std::string>& header
);

/// Finds what differs between those rows and the open versions, and counts it.
void find_changes(
    pq::Connection& target,
    const history_writer::HistoryTable& table,
    Imported& imported
);

/// What the versions of one import share.
struct ImportStamp {
    std::string id;
    std::string lsn;
    std::string time;
};

/// Makes versions of what was found.
void write_changes(
    pq::Connection& target,
    const history_writer::HistoryTable& table,
    const ImportStamp& stamp,
    const Imported& imported
);

}  // namespace pgchronicle::files
