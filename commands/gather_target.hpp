#pragma once

#include "pq/connection.hpp"
#include "replicator/preflight_facts.hpp"

namespace pgchronicle::commands {

/// What the target says of itself and of what `facts`, whose source is known, would write there.
/// Throws pq::Error.
[[nodiscard]] replicator::TargetFacts
gather_target(pq::Connection& target, const replicator::Facts& facts);

}  // namespace pgchronicle::commands
