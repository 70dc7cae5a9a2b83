#pragma once

#include "pq/connection.hpp"

#include <cstdint>
#include <string>

namespace pgchronicle::files {

enum class ImportLock : std::uint8_t {
    writes,  ///< Until the transaction ends; nobody else writes or reads.
    reads,   ///< Until the session ends; nobody writes.
};

/// Waits for the pipeline's imports, which come one after the other. Throws pq::Error.
void lock_imports(pq::Connection& target, const std::string& pipeline, ImportLock lock);

}  // namespace pgchronicle::files
