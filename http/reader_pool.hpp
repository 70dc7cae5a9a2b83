#pragma once

#include "pq/connection.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace pgchronicle::http {

struct ReaderOptions {
    pq::ConnectOptions connect;
    std::size_t connections{4};
    std::size_t queue_max{256};  ///< Jobs that wait.
    bool yields{false};          ///< Threads run behind those of the replication.
};

/// A few threads that read from the target, each with a connection of its own, which is opened when
/// it is first needed, and again when it is lost.
class ReaderPool {
public:
    explicit ReaderPool(ReaderOptions options);
    ~ReaderPool();
    ReaderPool(const ReaderPool&) = delete;
    ReaderPool& operator=(const ReaderPool&) = delete;

    /// Reads. May be called twice, where the connection turned out to be lost.
    using Job = std::function<void(pq::Connection&)>;
    /// Called instead of, or after, a job that could not do it.
    using Failed = std::function<void(std::exception_ptr)>;

    /// False, and nothing is called, where too much waits already. Thread: any.
    [[nodiscard]] bool submit(Job job, Failed failed);

    /// Ends what runs and what waits, with an error; returns when no job runs any more. The
    /// destructor does it, too.
    void stop();

private:
    struct Task {
        Job job;
        Failed failed;
    };
    /// One thread's.
    struct Reader {
        std::optional<pq::Connection> connection;
        std::thread thread;
    };

    void run(Reader& reader);
    void attend(Reader& reader, const Task& task);
    void open(Reader& reader);
    void close(Reader& reader);

    ReaderOptions options_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> tasks_;
    bool stopping_{false};
    /// An attempt to connect has failed: until then, others fail the same way without trying.
    std::chrono::steady_clock::time_point refuse_until_;
    std::exception_ptr refusal_;
    std::vector<std::unique_ptr<Reader>> readers_;
};

/// Lets other threads go first: those of the replication. Of the calling thread; cannot be undone
/// without rights.
void yield_to_replication() noexcept;

}  // namespace pgchronicle::http
