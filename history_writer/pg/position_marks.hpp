#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <string>
#include <vector>

// pgchronicle.position_mark: when the checkpoint stood where.

namespace pgchronicle::history_writer::pg {

struct PositionMark {
    pgoutput::Lsn position;
    std::chrono::milliseconds age;  ///< By the target's clock.
};

/// In order of their positions, which is that of time.
[[nodiscard]] std::vector<PositionMark>
read_position_marks(pq::Connection& target, const std::string& pipeline);

/// Adds a mark within the connection's open pipeline, and removes those that a window of this
/// length does not need any more. `pipeline` and `position` must outlive the pipeline.
void send_position_mark(
    pq::Connection& target,
    const pq::Param& pipeline,
    const pq::Param& position,
    std::chrono::milliseconds window
);

}  // namespace pgchronicle::history_writer::pg
