#pragma once

#include <exception>
#include <functional>

namespace pgchronicle::replicator::io {

/// Runs one job at a time, where it may block. At its end it waits for the job in hand.
class Worker {
public:
    Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    virtual ~Worker() = default;

    /// What a job left: its exception, if it threw.
    using Done = std::function<void(std::exception_ptr)>;

    /// `on_done` is called where the job ran: post it to where it is wanted.
    /// Precondition: the last job's end was reported.
    virtual void start(std::function<void()> job, Done on_done) = 0;
};

}  // namespace pgchronicle::replicator::io
