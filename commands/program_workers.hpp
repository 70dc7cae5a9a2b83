#pragma once

#include "following/change.hpp"
#include "replicator/backoff.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace pgchronicle::commands {

/// Runs a program for each change, until it succeeds; changes of one row one after the other.
class ProgramWorkers {
public:
    struct Options {
        std::string command{};
        unsigned jobs{1};  ///< So many at a time, of different rows.
        replicator::BackoffOptions backoff{};
        std::chrono::milliseconds elapsed_max{0};  ///< Given up after; 0: never.
        /// Told of each failure; from any thread, one at a time.
        std::function<void(const std::string&)> warn{};
    };

    /// Why it ended before its end.
    struct Failure {
        std::string primary;
        std::string detail;
        bool passes{false};  ///< Another time it may work.
    };

    struct Outcome {
        std::size_t done{0};  ///< All of the first so many have succeeded.
        std::optional<Failure> failure{};
        std::exception_ptr thrown{};  ///< By `progress`, or by the system.
    };

    explicit ProgramWorkers(Options options);

    /// Returns when all have succeeded, or when `stop` was asked for and those in hand have ended,
    /// or one was given up. `progress` is called by this thread whenever more of the first have
    /// succeeded, with their number; what it throws ends the work as a stop does.
    Outcome run(
        std::span<const following::Change> changes,
        const std::stop_token& stop,
        const std::function<void(std::size_t done)>& progress
    ) const;

private:
    Options options_;
};

}  // namespace pgchronicle::commands
