#pragma once

#include <string>

#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// Creates the schema `pgchronicle` and what is in it, where missing. Runs in a transaction of its
/// own under a lock, so that two commands may do it at once. Throws pq::Error.
void ensure_metadata(pq::Connection& target);

/// Whether the metadata is there.
[[nodiscard]] bool has_metadata(pq::Connection& target);

/// Takes the pipeline's lock, waiting for at most `timeout_ms`. Empty when it is ours, else who
/// holds it ("process 4711 of \"pgchronicle finance host 812\", connected since ...").
/// The lock lives as long as the connection.
[[nodiscard]] std::string lock_pipeline(
    pq::Connection& target, const std::string& pipeline, long timeout_ms
);

}  // namespace pgchronicle::history_writer::pg
