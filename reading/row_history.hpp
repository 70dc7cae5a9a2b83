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

/// Where a version stands among all of its row.
struct VersionPlace {
    pgoutput::Lsn lsn;
    std::int64_t change_seq{0};

    friend bool operator==(const VersionPlace&, const VersionPlace&) = default;
};

/// Which versions of a row are wanted.
struct VersionPage {
    std::optional<VersionPlace> after{};  ///< `next` of the page before; none: from the first on.
    std::uint64_t versions_max{0};        ///< 0: all.
    Limit limit{};                        ///< Of the page's bytes.
};

struct RowHistory {
    std::vector<std::string> key;        ///< In key order, as the server writes it.
    std::vector<Version> versions;       ///< By LSN and ordinal.
    std::optional<VersionPlace> next{};  ///< After which the next page begins, when there is one.
};

/// Versions of the row with this key, whose values are in key order, as text. No version: the
/// history has never seen it, or nothing comes after.
/// Throws Error bad_request where the table has no key, or the values do not fit it; Error
/// too_large; pq::Error.
[[nodiscard]] RowHistory read_row_history(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<std::string>& key,
    const VersionPage& page
);

/// A history as JSON, compact: {"table", "key", "position", "versions": [{..., "changed",
/// "values"}, ...]}. The head ends where the first version begins; `position`: the checkpoint's, as
/// of which it is known.
[[nodiscard]] std::string json_head(
    const HistoryTable& table,
    const std::vector<std::string>& key,
    std::optional<pgoutput::Lsn> position
);
void append_json(std::string& out, const HistoryTable& table, const Version& version);

/// The columns of a version as a row: our own under the names that they have in the history, then
/// the source's.
[[nodiscard]] std::vector<Column> version_columns(const HistoryTable& table);
[[nodiscard]] std::vector<Value> to_row(const Version& version);

}  // namespace pgchronicle::reading
