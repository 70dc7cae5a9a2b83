#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "reading/history_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::reading {

/// What is asked for: a table as of an LSN or of a time (any text that timestamptz takes, UTC
/// unless it says otherwise). Neither: as of the checkpoint. Both: an error.
struct AsOfRequest {
    std::optional<pgoutput::Lsn> lsn{};
    std::optional<std::string> at{};
    std::vector<std::string> after{};  ///< `next` of the page before; empty: from the start.
    std::uint64_t rows_max{0};         ///< 0: all.
    Limit limit{};                     ///< Of the page's bytes.
};

/// A moment that was found in the history of a table.
struct Moment {
    /// Versions visible at this LSN. None: those at `at`, which has passed.
    std::optional<pgoutput::Lsn> lsn;
    std::optional<std::string> at;  ///< As asked for, in the server's form: 2026-11-21 00:00:00+00.
    /// Whether the same request will always get the same rows. If not, `pinned()` will.
    bool final{true};
    /// Of an imported table, whose files may come one after the other at one LSN: the time whose
    /// versions are visible at the moment. A request for it will always get the same rows.
    std::optional<std::string> import_time{};

    /// A request for these very rows, whatever has happened since: for the pages after the first.
    [[nodiscard]] AsOfRequest pinned() const;
};

struct AsOfPage {
    Moment moment;
    /// The table's columns, in the order of the key; without one, of how the rows begin as text.
    Rows rows;
    /// Where the next page begins, when there is one: short, however wide the rows are.
    std::optional<std::vector<std::string>> next;
};

/// What the request's moment is for this table. Throws Error: bad_request, too_early, too_late,
/// not_ready; pq::Error.
[[nodiscard]] Moment find_moment(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const AsOfRequest& request
);

/// Rows of the table as of that moment, in one snapshot: of the transaction that is open, or one of
/// its own. Pages belong together when all but the first ask for the first one's `pinned()`.
/// Throws what find_moment does, Error bad_request where `after` does not fit the table, and Error
/// too_large.
[[nodiscard]] AsOfPage read_as_of(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const AsOfRequest& request
);

/// The condition for a version, whose columns stand after `prefix`, to be visible at a moment that
/// is parameter $1: of type pg_lsn where the moment has an LSN, else, and of imported tables,
/// timestamptz.
[[nodiscard]] std::string
visible_sql(const HistoryTable& table, const Moment& moment, const std::string& prefix);

}  // namespace pgchronicle::reading
