#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/sink.hpp"
#include "replicator/io/stream.hpp"
#include "tests/property/story.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Faults of ours, planted where the session meets the world, to see that the simulation finds them.

namespace pgchronicle::simulation {

enum class Plant {
    none,
    ack_before_flush,         ///< What has come is acknowledged, stored or not.
    resume_at_commit_lsn,     ///< The checkpoint says where the last commit record begins.
    close_without_tombstone,  ///< A DELETE ends the version and leaves nothing.
    keepalive_acknowledged,   ///< A keepalive's position is acknowledged as it comes.
    clamp_forgotten,          ///< Recorded times step back over a restart.
    request_unanswered,       ///< The source hears of progress only.
    idle_position_unnoticed,  ///< Keepalives move nothing.
    prepare_acknowledged,     ///< What is flushed is acknowledged beyond what is prepared, too.
    held_back_told,           ///< What is held back is told as it is, when a server shuts down.
    window_forgotten,         ///< acknowledge.hold_back holds nothing.
    guard_asleep,             ///< Checkpoint, slot and source are not compared.
};

[[nodiscard]] const std::vector<Plant>& all_plants();
[[nodiscard]] std::string name_of(Plant plant);

/// The stored checkpoint, as a reader with this fault gives it.
[[nodiscard]] history_writer::Checkpoint
planted(Plant plant, history_writer::Checkpoint checkpoint, const test::Story& story);

/// `flushed`: what the target's disk has.
[[nodiscard]] std::unique_ptr<replicator::io::Stream> planted(
    Plant plant,
    std::unique_ptr<replicator::io::Stream> stream,
    std::function<pgoutput::Lsn()> flushed
);

/// A sink with this fault before `sink`.
[[nodiscard]] std::unique_ptr<history_writer::Sink>
planted(Plant plant, std::unique_ptr<history_writer::Sink> sink);

}  // namespace pgchronicle::simulation
