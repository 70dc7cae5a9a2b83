#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"
#include "replicator/preflight_facts.hpp"

namespace pgchronicle::commands {

/// What the source says, but for whether a replication connection can be made. Throws pq::Error.
[[nodiscard]] replicator::SourceFacts
gather_source(pq::Connection& source, const config::Settings& settings);

}  // namespace pgchronicle::commands
