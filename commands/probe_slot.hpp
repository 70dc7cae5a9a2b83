#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "replicator/preflight_facts.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>

namespace pgchronicle::commands {

struct ProbeOptions {
    /// Only transactions that commit before it are looked at.
    std::optional<pgoutput::Lsn> upto;
    /// How long to look; 0 for as long as it takes.
    std::chrono::milliseconds time_limit{0};
};

/// Whether the first change that waits in `slot` can be decoded for these publications. Consumes
/// nothing, but holds the slot meanwhile. A slot that may not be read, or that another process
/// reads, is `not_tried`.
/// Versions up to 17 fail with undefined_object (42704) for a change that was made before
/// a publication existed; 18 passes over it with the WARNING "skipped loading publication".
/// Throws pq::Error for a lost connection. Replaces the connection's notice handler.
[[nodiscard]] replicator::SlotProbe probe_slot(
    pq::Connection& source,
    const std::string& slot,
    std::span<const std::string> publications,
    const ProbeOptions& options
);

}  // namespace pgchronicle::commands
