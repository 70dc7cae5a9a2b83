#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "reading/error.hpp"
#include "reading/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::reading {

/// A history table as the target describes it.
struct HistoryTable {
    std::string source_schema;
    std::string source_table;
    std::string target_schema;
    std::string target_table;
    std::vector<Column> columns;       ///< The source's, as the history names them; ours left out.
    std::vector<std::string> row_key;  ///< Names of columns, in key order; empty: no key.
    config::HistoryColumnNames names;
    std::string state;     ///< pending, copied or ended; quarantined where it was left behind.
    bool imported{false};  ///< Its rows come from files, and no pipeline writes it.
    std::optional<pgoutput::Lsn> consistent_from;  ///< None: not complete yet.
    /// Recorded time of `consistent_from`: a read by time before it is too early.
    std::optional<std::string> consistent_from_time{};
    std::optional<pgoutput::Lsn> left_at{};     ///< Where a quarantined table's history ends,
    std::optional<std::string> left_at_time{};  ///< and the recorded time of that.

    /// schema.table of the source.
    [[nodiscard]] std::string name() const { return source_schema + "." + source_table; }
    /// schema.table of the history, not quoted.
    [[nodiscard]] std::string history_name() const { return target_schema + "." + target_table; }
    /// The column of that name; null without one.
    [[nodiscard]] const Column* find_column(std::string_view column) const;
    /// The key's columns, in key order. A key column that the history lost is left out.
    [[nodiscard]] std::vector<Column> key_columns() const;
};

/// The tables of the pipeline, by source schema and name; none where the target knows of none yet.
/// Targets made by older versions can be read, too. Throws pq::Error.
[[nodiscard]] std::vector<HistoryTable>
history_tables(pq::Connection& target, const config::Settings& settings);

/// The one table that `name` means: schema.table, or table where there is only one of that name.
/// Throws Error (not_found, ambiguous), pq::Error.
[[nodiscard]] HistoryTable
find_table(pq::Connection& target, const config::Settings& settings, std::string_view name);

}  // namespace pgchronicle::reading
