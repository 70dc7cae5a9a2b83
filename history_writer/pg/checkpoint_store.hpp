#pragma once

#include "history_writer/checkpoint.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// The pipeline's checkpoint, or nothing. Throws pq::Error, also when a stored value cannot be.
[[nodiscard]] std::optional<Checkpoint>
read_checkpoint(pq::Connection& target, const std::string& pipeline);

/// Throws CheckpointMismatch unless the checkpoint stands at `position`.
void require_position(pq::Connection& target, const std::string& pipeline, pgoutput::Lsn position);

/// Writes the first checkpoint of a pipeline: its position is `slot_start`. Flushed on return.
void write_first_checkpoint(
    pq::Connection& target,
    const std::string& pipeline,
    const Checkpoint& checkpoint
);

/// Remembers which publications the stream is made of.
void store_publications(
    pq::Connection& target,
    const std::string& pipeline,
    const std::vector<std::string>& publications
);

/// SQL for reading a timestamptz column as PostgreSQL microseconds: for queries of our own.
[[nodiscard]] std::string timestamp_as_microseconds(const std::string& expression);

}  // namespace pgchronicle::history_writer::pg
