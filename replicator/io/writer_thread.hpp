#pragma once

#include "replicator/io/worker.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace pgchronicle::replicator::io {

/// A worker with a thread of its own, where the blocking writes to the target live.
///
/// A job's end is reported on that thread. The next job may be given once that was done; so at most
/// one batch is being written while the next one is built, and memory stays bounded.
class WriterThread : public Worker {
public:
    WriterThread();
    /// Waits for the job in hand.
    ~WriterThread() override;

    void start(std::function<void()> job, Done on_done) override;

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
