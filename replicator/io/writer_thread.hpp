#pragma once

#include "history_writer/sink.hpp"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace pgchronicle::replicator::io {

using history_writer::ChangeBatch;
using history_writer::Stored;

/// Runs one job at a time on a thread of its own, where the blocking writes to the target live.
///
/// A job's end is reported by `on_done`, called on the writer's thread: post it to where it is
/// wanted. The next job may be given once that call was made; so at most one batch is being
/// written while the next one is built, and memory stays bounded.
class WriterThread {
public:
    /// What a job left: its exception, if it threw.
    using Done = std::function<void(std::exception_ptr)>;

    WriterThread();
    /// Waits for the job in hand.
    ~WriterThread();
    WriterThread(const WriterThread&) = delete;
    WriterThread& operator=(const WriterThread&) = delete;

    /// Precondition: the last job's end was reported.
    void start(std::function<void()> job, Done on_done);

private:
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::function<void()> job_;
    Done on_done_;
    bool busy_{false};
    bool stopping_{false};
    std::thread thread_;
};

}  // namespace pgchronicle::replicator::io
