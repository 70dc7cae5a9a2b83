#pragma once

#include "commands/status_report.hpp"
#include "config/settings.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "pq/connection.hpp"
#include "replicator/startup_guard.hpp"

#include <optional>
#include <string>
#include <vector>

// Whether `run` would go on: by the rules that it starts by, over what `status` sees.

namespace pgchronicle::commands {

/// What decides whether `run` can go on. Of two servers, so not of one moment: the slot is read
/// first, then the checkpoint, then how far the source has written, for each of them may move on
/// meanwhile.
struct RunFacts {
    replicator::StartupFacts startup{};
    std::optional<history_writer::pg::Replay> replay{};  ///< Under way.
    std::optional<source_catalog::Slot> replay_slot{};   ///< Of it, if it is there.
    /// A table that would be followed, but that no publication has any more; empty: none. Looked
    /// for where nobody runs the pipeline, who would notice it.
    std::string withdrawn{};
};

/// What the configuration alone says.
[[nodiscard]] RunFacts configured_facts(const config::Settings& settings);

/// Reads the checkpoint's row, or that there is none beside a history.
void read_startup(pq::Connection& target, const config::Settings& settings, RunFacts& facts);

/// Reads the slots. Before the checkpoint.
void read_slots(pq::Connection& source, const config::Settings& settings, RunFacts& facts);

/// One of the report's tables that no publication has any more; empty: none.
[[nodiscard]] std::string find_withdrawn(
    pq::Connection& source,
    const config::Settings& settings,
    const std::vector<TableReport>& tables
);

/// What `run` would stop at with exit code 3, in one line; empty: nothing that is seen from here.
/// Without the source (`asked` is false), only what the target alone tells.
[[nodiscard]] std::string obstacle_of(const RunFacts& facts, bool asked);

}  // namespace pgchronicle::commands
