#pragma once

#include "history_writer/checkpoint.hpp"
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
};

enum class Startup {
    first_run,    ///< No checkpoint, no history: write the first checkpoint, then copy.
    create_slot,  ///< The same, and the slot must be made first.
    go_on,
};

/// Compares checkpoint, slot and source, because START_REPLICATION never objects: it moves an old
/// position forward in silence and withholds changes for one that is ahead. Pure.
/// Throws NeedsOperator with both values where they do not fit.
/// Source: DESIGN, "What always holds", 4.
[[nodiscard]] Startup check_startup(const StartupFacts& facts);

}  // namespace pgchronicle::replicator
