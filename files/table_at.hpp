#pragma once

#include "config/settings.hpp"
#include "files/file_moment.hpp"
#include "files/manifest.hpp"
#include "pq/connection.hpp"
#include "reading/history_table.hpp"

#include <string>
#include <vector>

namespace pgchronicle::files {

/// One table at a moment: what its rows looked like then, and how to read them.
struct TableAt {
    struct Column {
        std::string name;     ///< Then.
        std::string type;     ///< Then, on the source, as format_type writes it.
        std::string history;  ///< The column of the history table that holds it now.
        std::uint32_t type_oid{0};
    };

    std::vector<Column> columns;
    std::vector<std::string> row_key;  ///< Names of columns then.
    pgoutput::Lsn lsn;                 ///< The moment's, or that of the last change by then.
    std::vector<Manifest::Gap> gaps;
    std::string select;  ///< The rows, in the order of the key; without one, of all values.
};

/// The reads belong to the caller's transaction. Throws Error not_ready where the history of that
/// moment is not complete: too early, left behind, still to be copied; pq::Error.
[[nodiscard]] TableAt read_table_at(
    pq::Connection& target,
    const config::Settings& settings,
    const reading::HistoryTable& table,
    const FileMoment& moment
);

/// Whether the table's history begins only after the moment.
[[nodiscard]] bool
begins_after(pq::Connection& target, const reading::HistoryTable& table, const FileMoment& moment);

/// Of tables that were renamed at the source: those whose name had ended by the moment, and those
/// of which nobody knows when it did.
struct EndedTables {
    std::vector<std::string> by_then;
    std::vector<std::string> unknown;
};

[[nodiscard]] EndedTables ended_tables(
    pq::Connection& target,
    const config::Settings& settings,
    const std::vector<reading::HistoryTable>& tables,
    const FileMoment& moment
);

/// The day, in the time zone, of the last change of these tables at or before an LSN; empty where
/// none of them has a row. Imported ones do not count.
[[nodiscard]] std::string day_of_last_change(
    pq::Connection& target,
    const std::vector<reading::HistoryTable>& tables,
    pgoutput::Lsn lsn,
    const std::string& time_zone
);

}  // namespace pgchronicle::files
