#include "replicator/io/writer_thread.hpp"

#include <cassert>

namespace pgchronicle::replicator::io {

WriterThread::WriterThread() : thread_{[this] { run(); }} {}

WriterThread::~WriterThread() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void WriterThread::start(std::function<void()> job, Done on_done) {
    {
        const std::lock_guard lock{mutex_};
        assert(!busy_);
        busy_ = true;
        job_ = std::move(job);
        on_done_ = std::move(on_done);
    }
    wake_.notify_one();
}

void WriterThread::run() {
    for (;;) {
        std::function<void()> job;
        Done on_done;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return stopping_ || job_ != nullptr; });
            if (job_ == nullptr) return;
            job = std::move(job_);
            job_ = nullptr;
            on_done = std::move(on_done_);
        }
        std::exception_ptr failure;
        try {
            job();
        } catch (...) {
            failure = std::current_exception();
        }
        job = nullptr;
        {
            const std::lock_guard lock{mutex_};
            busy_ = false;
        }
        on_done(failure);
    }
}

}  // namespace pgchronicle::replicator::io
