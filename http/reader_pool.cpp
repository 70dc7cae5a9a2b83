#include "http/reader_pool.hpp"

#include <sys/resource.h>

#include <unistd.h>
#include <utility>

namespace pgchronicle::http {

namespace {

/// After a connection was refused, for so long nobody tries again: requests would queue behind
/// attempts that take seconds each.
constexpr std::chrono::milliseconds refusal_time{1'000};

[[nodiscard]] std::exception_ptr ending() {
    return std::make_exception_ptr(pq::Error{{"57P01", "the service is stopping", {}, {}, {}, true}}
    );
}

}  // namespace

void yield_to_replication() noexcept {
    constexpr int nicer = 10;
    // Linux: for one thread only.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nicer);
}

ReaderPool::ReaderPool(ReaderOptions options) : options_{std::move(options)} {
    for (std::size_t i = 0; i < options_.connections; ++i) {
        readers_.push_back(std::make_unique<Reader>());
    }
    for (auto& reader : readers_) {
        reader->thread = std::thread{[this, &one = *reader] { run(one); }};
    }
}

ReaderPool::~ReaderPool() {
    stop();
}

bool ReaderPool::submit(Job job, Failed failed) {
    {
        const std::lock_guard lock{mutex_};
        if (stopping_ || tasks_.size() >= options_.queue_max) return false;
        tasks_.push_back({std::move(job), std::move(failed)});
    }
    wake_.notify_one();
    return true;
}

void ReaderPool::stop() {
    std::deque<Task> left;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        left.swap(tasks_);
        for (auto& reader : readers_) {
            if (reader->connection) reader->connection->interrupt(true);
        }
    }
    wake_.notify_all();
    for (const auto& task : left) task.failed(ending());
    for (auto& reader : readers_) {
        if (reader->thread.joinable()) reader->thread.join();
    }
}

void ReaderPool::run(Reader& reader) {
    if (options_.yields) yield_to_replication();
    for (;;) {
        Task task;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
            if (tasks_.empty()) return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        try {
            attend(reader, task);
        } catch (...) {
            task.failed(std::current_exception());
        }
    }
}

void ReaderPool::attend(Reader& reader, const Task& task) {
    bool kept = reader.connection.has_value();
    for (;;) {
        if (!reader.connection) open(reader);
        try {
            task.job(*reader.connection);
            return;
        } catch (const pq::Error& error) {
            if (!error.connection_lost() && reader.connection->ok()) {
                if (reader.connection->in_transaction()) reader.connection->exec("ROLLBACK");
                throw;
            }
            close(reader);
            // One that was lost while nobody used it is no reason to fail.
            if (!kept) throw;
            kept = false;
        } catch (...) {
            if (reader.connection->in_transaction()) reader.connection->exec("ROLLBACK");
            throw;
        }
    }
}

void ReaderPool::open(Reader& reader) {
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) std::rethrow_exception(ending());
        if (refusal_ && std::chrono::steady_clock::now() < refuse_until_) {
            std::rethrow_exception(refusal_);
        }
    }
    try {
        auto connection = pq::Connection::open(options_.connect);
        const std::lock_guard lock{mutex_};
        // Nobody would interrupt what is asked over it.
        if (stopping_) std::rethrow_exception(ending());
        refusal_ = nullptr;
        reader.connection = std::move(connection);
    } catch (const pq::Error&) {
        const std::lock_guard lock{mutex_};
        refusal_ = std::current_exception();
        refuse_until_ = std::chrono::steady_clock::now() + refusal_time;
        throw;
    }
}

void ReaderPool::close(Reader& reader) {
    std::optional<pq::Connection> gone;
    const std::lock_guard lock{mutex_};
    gone.swap(reader.connection);
}

}  // namespace pgchronicle::http
