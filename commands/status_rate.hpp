#pragma once

#include "pq/connection.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pgchronicle::commands {

/// Versions that were inserted into the history so far, by the target's statistics.
[[nodiscard]] std::int64_t rows_inserted(pq::Connection& target, const std::string& pipeline);

/// How many of them come in a second now. Waits twice for at most `patience` for a sign of any; 0:
/// does not, and knows nothing.
[[nodiscard]] std::optional<double> rows_per_second(
    pq::Connection& target,
    const std::string& pipeline,
    std::chrono::milliseconds patience
);

}  // namespace pgchronicle::commands
