#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "reading/history_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::reading {

/// One version of a row. Times are text: 2026-11-21 11:55:29.5+00.
struct Version {
    std::string valid_from;
    std::optional<std::string> valid_to;  ///< None while open.
    bool is_current{false};
    std::string operation_type;
    pgoutput::Lsn lsn_from;
    std::optional<pgoutput::Lsn> lsn_to;
    std::int64_t change_seq{0};
    std::vector<std::string> changed;  ///< Columns that differ from the version before; none first.
    std::vector<Value> values;         ///< One for each column of the table.
};

struct RowHistory {
    std::vector<std::string> key;   ///< As it was asked for, in key order.
    std::vector<Version> versions;  ///< By LSN and ordinal.
};

/// Every version of the row with this key, whose values are in key order, as text. No version: the
/// history has never seen it.
/// Throws Error bad_request where the table has no key, or the values do not fit it; pq::Error.
[[nodiscard]] RowHistory read_row_history(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<std::string>& key
);

/// {"table", "key", "position", "versions": [{..., "changed", "values"}]}, compact. `position`: the
/// checkpoint's, as of which this is known.
[[nodiscard]] std::string
to_json(const HistoryTable& table, const RowHistory& row, std::optional<pgoutput::Lsn> position);

/// A row for each version: our own columns under the names that they have in the history, then the
/// source's.
[[nodiscard]] Rows to_rows(const HistoryTable& table, const RowHistory& row);

}  // namespace pgchronicle::reading
