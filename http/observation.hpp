#pragma once

#include "pgoutput/lsn.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pgchronicle::http {

/// One look at the pipeline, as `status` has it. What could not be asked has no value.
struct Observation {
    std::chrono::steady_clock::time_point began{};
    std::string status_json{};  ///< What `status --json` prints.
    std::string state{};        ///< streaming, copying, stopped, ...
    std::string health{};       ///< green, red; empty: the target cannot be asked.
    std::string target_error{};
    std::string source_error{};
    std::optional<pgoutput::Lsn> position{};
    std::optional<std::uint64_t> lag_bytes{};
    std::optional<double> lag_seconds{};
    std::optional<std::uint64_t> retained_bytes{};  ///< WAL that the slot keeps.
    std::optional<std::int64_t> safe_wal_bytes{};   ///< Until it is lost.
    std::string wal_status{};                       ///< reserved, extended, unreserved, lost
    bool slot_active{false};
    std::size_t gaps{0};
    std::size_t quarantines{0};
    std::size_t tables{0};
    /// Versions inserted so far, by the target's statistics; they move about once a second.
    std::optional<std::int64_t> versions_inserted{};
};

}  // namespace pgchronicle::http
