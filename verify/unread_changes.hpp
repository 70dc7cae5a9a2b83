#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace pgchronicle::verify {

enum class Unread : std::uint8_t {
    nothing,  ///< Whatever commits in the range changes no published table.
    changes,
    untold,  ///< The slot is not there, in use, or would take too long to be read.
};

/// Up to where the history is complete, and where it is to be.
struct UnreadRange {
    pgoutput::Lsn stored;
    pgoutput::Lsn upto;
};

/// What waits in the pipeline's slot of transactions that end behind `stored`, at most at `upto`.
/// Consumes nothing, but holds the slot for a moment. What is found stays on the source, which
/// decodes from where the slot has to begin. Errors: pq::Error, for a lost connection alone.
[[nodiscard]] Unread unread_changes(
    const pq::ConnectOptions& source,
    const config::Settings& settings,
    const UnreadRange& range,
    std::chrono::seconds timeout,
    const std::stop_token& stop
);

}  // namespace pgchronicle::verify
