#pragma once

#include "pgoutput/lsn.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pgchronicle::replicator {

/// A batch that is stored, with its checkpoint.
struct BatchWritten {
    std::size_t transactions{0};  ///< That ended in it.
    std::uint64_t rows{0};
    std::uint64_t bytes{0};             ///< Of rows, as they are kept.
    std::uint64_t values_inherited{0};  ///< Unchanged TOAST, taken from the version before.
    std::chrono::duration<double> took{0};
    pgoutput::Lsn position;
};

/// Who wants to know how replication goes. Called once for each batch, never for a row; returns at
/// once. Threads: any, one at a time.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    virtual void batch_written(const BatchWritten& batch) noexcept = 0;
    /// A failure that may pass: it is tried again.
    virtual void reconnecting() noexcept = 0;
};

}  // namespace pgchronicle::replicator
