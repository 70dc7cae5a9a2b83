#pragma once

#include <algorithm>
#include <chrono>

namespace pgchronicle::replicator {

struct BackoffOptions {
    std::chrono::milliseconds delay_min{200};
    std::chrono::milliseconds delay_max{30'000};
};

/// Delay before the next attempt: doubles from `delay_min` to `delay_max`. The jitter is passed
/// in, so that processes which failed together do not come back together, and tests can tell.
class Backoff {
public:
    explicit Backoff(BackoffOptions options) : options_{options} {}

    /// `jitter` in [0, 1): the delay is between half of the step and all of it.
    [[nodiscard]] std::chrono::milliseconds next(double jitter) {
        step_ = step_.count() == 0 ? options_.delay_min : std::min(step_ * 2, options_.delay_max);
        const auto half = static_cast<double>(step_.count()) / 2;
        return std::chrono::milliseconds{static_cast<long>(half + half * jitter)};
    }
    /// It worked: the next failure starts from the smallest delay.
    void reset() { step_ = std::chrono::milliseconds{0}; }

private:
    BackoffOptions options_;
    std::chrono::milliseconds step_{0};
};

}  // namespace pgchronicle::replicator
