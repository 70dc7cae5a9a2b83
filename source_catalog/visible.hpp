#pragma once

#include "pgoutput/ids.hpp"
#include "pq/connection.hpp"

#include <chrono>

namespace pgchronicle::source_catalog {

/// Waits until a transaction that has committed, as the stream says, is visible to others; false
/// when it is not after `patience`. Between the two stands the commit's wait for synchronous
/// standbys; without these it is over at once. Throws pq::Error.
[[nodiscard]] bool
wait_until_visible(pq::Connection& source, pgoutput::Xid xid, std::chrono::milliseconds patience);

}  // namespace pgchronicle::source_catalog
