#pragma once

#include "pq/connection.hpp"

namespace pgchronicle::pq {

/// Sends what a pipeline has buffered so far to the server, without waiting for results.
void push(Connection& connection);

}  // namespace pgchronicle::pq
