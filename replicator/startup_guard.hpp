#pragma once

#include "history_writer/checkpoint.hpp"
#include "replicator/stream_error.hpp"
#include "source_catalog/model.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::replicator {

/// What is known before the stream starts.
struct StartupFacts {
    std::string pipeline;
    std::string slot_name;
    std::vector<std::string> publication_names;
    source_catalog::Server server;
    std::optional<source_catalog::Slot> slot;
    std::vector<source_catalog::Publication> publications;  ///< Those that exist.
    std::optional<history_writer::Checkpoint> checkpoint;
    bool history_empty{true};
    bool may_create_slot{false};
    /// on_slot_lost: reconcile, and no replay comes first.
    bool may_reconcile{false};
};

enum class Startup {
    first_run,    ///< No checkpoint, no history: write the first checkpoint, then copy.
    create_slot,  ///< The same, and the slot must be made first.
    go_on,
    reconcile,  ///< The slot does not reach the checkpoint, and another one may take its place.
};

/// Compares checkpoint, slot and source, because START_REPLICATION never objects: it moves an old
/// position forward in silence and withholds changes for one that is ahead. Pure.
/// Throws NeedsOperator with both values where they do not fit.
/// Source: DESIGN, "What always holds", 4.
[[nodiscard]] Startup check_startup(const StartupFacts& facts);

/// Why the slot cannot be read on from the checkpoint: `replication slot "s" does not exist`, say.
/// Empty where it can, or where there is no checkpoint yet and the slot is well.
[[nodiscard]] std::string slot_loss(const StartupFacts& facts);

/// What an operator may do about it, by the configuration.
inline constexpr const char* reconcile_hint =
    "source.on_slot_lost: reconcile goes on with another slot: every table is compared with the "
    "source, and what lies between is recorded as a gap.";

// The rules that preflight() judges by, too: what stops `run` is fatal in `check`.

/// Operations that a publication leaves out, by the names that `publish` has for them. Any is one
/// too many, even where another publication has it: a table may be in this one alone.
[[nodiscard]] std::vector<std::string> operations_left_out(
    const source_catalog::Publication& publication
);

/// A checkpoint that is missing beside a history, belongs to another source, or was written with
/// publications that are not configured any more.
[[nodiscard]] std::optional<NeedsOperator> checkpoint_refusal(const StartupFacts& facts);

/// A checkpoint between which and the slot, or the source's end, changes would be lost. A slot that
/// is ahead is none where it may be reconciled.
[[nodiscard]] std::optional<NeedsOperator> position_refusal(const StartupFacts& facts);

}  // namespace pgchronicle::replicator
