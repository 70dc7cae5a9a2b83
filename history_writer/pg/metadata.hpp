#pragma once

#include "pq/connection.hpp"

#include <cstdint>
#include <string>

namespace pgchronicle::history_writer::pg {

/// Creates the schema `pgchronicle` and what is in it, where missing. Runs in a transaction of its
/// own under a lock, so that two commands may do it at once. Throws pq::Error.
void ensure_metadata(pq::Connection& target);

/// Whether the metadata is there.
[[nodiscard]] bool has_metadata(pq::Connection& target);

/// Takes the pipeline's lock if it is free. The lock lives as long as the connection.
[[nodiscard]] bool try_lock_pipeline(pq::Connection& target, const std::string& pipeline);

/// Says, as long as the connection lives, that the holder of the lock waits for the source;
/// `unmark` takes it back.
void mark_retrying(pq::Connection& target, const std::string& pipeline);
void unmark_retrying(pq::Connection& target, const std::string& pipeline);
[[nodiscard]] bool is_retrying(pq::Connection& target, const std::string& pipeline);

/// Whether server process `backend_pid` holds it now. Asked on any connection to the target.
[[nodiscard]] bool
holds_pipeline_lock(pq::Connection& target, const std::string& pipeline, std::int64_t backend_pid);

/// Who holds it: `process 4711 ("pgchronicle finance host 812") from ..., connected since ...`;
/// `nobody` when nobody does. Only looks, so that a pipeline that starts now is not kept waiting.
[[nodiscard]] std::string pipeline_lock_holder(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& nobody = "a process that has just gone"
);

}  // namespace pgchronicle::history_writer::pg
