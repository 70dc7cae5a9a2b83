#pragma once

#include "replicator/batch_policy.hpp"

#include <functional>

namespace pgchronicle::replicator::io {

/// The thread that a session lives on: its clock, and what runs on it when.
class Loop {
public:
    Loop() = default;
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    virtual ~Loop() = default;

    using Call = std::function<void()>;

    [[nodiscard]] virtual Clock::time_point now() const = 0;
    /// Runs `call` after what is running now. Thread: any.
    virtual void post(Call call) = 0;
    /// Runs `call` at `time`; it takes the place of the one that was given before.
    virtual void call_at(Clock::time_point time, Call call) = 0;
    /// Runs what it was given until it is stopped.
    virtual void run() = 0;
    virtual void stop() = 0;
};

}  // namespace pgchronicle::replicator::io
