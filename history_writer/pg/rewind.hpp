#pragma once

#include "config/settings.hpp"
#include "history_writer/history_table.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <compare>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

// The history as it was at an earlier position. Source: DESIGN, "Replay".

namespace pgchronicle::history_writer::pg {

/// A history table of the pipeline.
struct KeptTable {
    std::string source_schema;
    std::string source_table;
    std::string relation_id;
    TargetName name;

    friend auto operator<=>(const KeptTable&, const KeptTable&) = default;
};
[[nodiscard]] std::vector<KeptTable>
kept_tables(pq::Connection& target, const std::string& pipeline);
/// Those that the configuration selects: only their changes come again.
[[nodiscard]] std::vector<KeptTable>
followed(pq::Connection& target, const config::Settings& settings);
/// The others: what they hold stays as it is.
[[nodiscard]] std::vector<KeptTable>
left_alone(pq::Connection& target, const config::Settings& settings);
/// Those that are still to be copied, or compared with the source, unless it has dropped them.
[[nodiscard]] std::vector<KeptTable>
tables_to_read(pq::Connection& target, const config::Settings& settings);

/// Why the history cannot go back below `lsn`: what happened there is not in the WAL.
struct Obstacle {
    std::string what;
    pgoutput::Lsn lsn;  ///< 0/0: not at all, as it is now.
    std::string hint;   ///< What helps; where there is no LSN.
};

/// The gravest obstacle to going back to `position`, or nothing.
[[nodiscard]] std::optional<Obstacle>
find_obstacle(pq::Connection& target, const config::Settings& settings, pgoutput::Lsn position);

/// The end of the last transaction at or below `lsn` that left versions, with its recorded time.
/// Reads every history table.
[[nodiscard]] std::optional<ReplayPoint>
last_commit_at(pq::Connection& target, const config::Settings& settings, pgoutput::Lsn lsn);

/// Columns were renamed so that their names cannot be given back.
class CannotRewind : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Sets tables, metadata and checkpoint back to `point`, and marks the replay as begun: until where
/// the checkpoint stood. Within the caller's transaction. Throws CannotRewind.
void rewind(pq::Connection& target, const config::Settings& settings, const ReplayPoint& point);

/// What names the view and the functions beside a history table: its name without the suffix.
[[nodiscard]] std::string base_name(const TargetName& table, const std::string& suffix);

/// Gives the columns of `table`, which is `kept` or a copy of it, the names and types back that
/// they had at `position`.
void undo_shapes(
    pq::Connection& target,
    const config::Settings& settings,
    const KeptTable& kept,
    const TargetName& table,
    pgoutput::Lsn position
);

}  // namespace pgchronicle::history_writer::pg
