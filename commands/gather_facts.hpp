#pragma once

#include "config/settings.hpp"
#include "replicator/preflight_facts.hpp"

namespace pgchronicle::commands {

/// Asks both servers for what preflight() judges. Changes nothing; a replication connection is
/// opened and closed, and the slot is peeked into while nobody uses it. A server that cannot be
/// reached or asked is a fact too, so that this throws nothing of pq's.
[[nodiscard]] replicator::Facts gather_facts(const config::Settings& settings);

}  // namespace pgchronicle::commands
