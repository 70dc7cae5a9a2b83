#include "log/log.hpp"

#include "log/line.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace pgchronicle::log {

namespace {

/// A pipe that is ready takes at least this much without blocking, and in one piece (PIPE_BUF).
constexpr std::size_t piece_bytes_max = 4096;

/// How long a line waits for a slow reader: longer than a busy log collector is ever away from its
/// pipe, far shorter than the server's patience with a silent stream (wal_sender_timeout).
constexpr std::chrono::milliseconds wait_max{200};

/// Keeps SIGPIPE from this thread while it lives, and swallows the one that a write raised.
class SigpipeBlock {
public:
    SigpipeBlock() {
        sigemptyset(&sigpipe_);
        sigaddset(&sigpipe_, SIGPIPE);
        sigset_t pending;
        sigemptyset(&pending);
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        blocked_ = pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_) == 0;
    }
    SigpipeBlock(const SigpipeBlock&) = delete;
    SigpipeBlock& operator=(const SigpipeBlock&) = delete;
    ~SigpipeBlock() {
        if (!blocked_) return;
        if (raised && !was_pending_) {
            const timespec no_wait{};
            sigtimedwait(&sigpipe_, nullptr, &no_wait);
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

    bool raised{false};  ///< Set by the writer: the write failed with EPIPE.

private:
    sigset_t sigpipe_{};
    sigset_t before_{};
    bool was_pending_{false};
    bool blocked_{false};
};

/// Writes whole lines to a descriptor, without buffering, without throwing, without waiting long.
class DescriptorWriter {
public:
    explicit DescriptorWriter(int descriptor) : descriptor_{descriptor} {}

    /// False when the line, or its end, was lost.
    bool write_line(std::string_view line) {
        SigpipeBlock sigpipe;
        // Only the first lost line is waited for: a reader that is gone costs the service once.
        auto patience = last_was_lost_ ? std::chrono::milliseconds{0} : wait_max;
        bool lost = is_torn_ && !write_all("\n", patience, sigpipe);
        if (!lost) {
            is_torn_ = false;
            lost = !write_all(line, patience, sigpipe);
        }
        last_was_lost_ = lost;
        return !lost;
    }

private:
    bool
    write_all(std::string_view text, std::chrono::milliseconds& patience, SigpipeBlock& sigpipe) {
        const auto whole_bytes = text.size();
        while (!text.empty()) {
            const auto piece = text.substr(0, piece_bytes_max);
            const bool ready = wait_for_room(patience);
            const auto written = ready ? ::write(descriptor_, piece.data(), piece.size()) : -1;
            if (ready && written < 0 && (errno == EINTR || errno == EAGAIN) && spend(patience)) {
                continue;
            }
            if (written <= 0) {
                sigpipe.raised = sigpipe.raised || (ready && errno == EPIPE);
                is_torn_ = is_torn_ || text.size() != whole_bytes;
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(written));
        }
        return true;
    }

    /// Takes a millisecond from the patience, so that no sequence of interruptions is endless.
    static bool spend(std::chrono::milliseconds& patience) {
        if (patience.count() <= 0) return false;
        patience -= std::chrono::milliseconds{1};
        return true;
    }

    bool wait_for_room(std::chrono::milliseconds& patience) const {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (true) {
            pollfd ready{descriptor_, POLLOUT, 0};
            const auto count = ::poll(&ready, 1, static_cast<int>(patience.count()));
            const bool interrupted = count < 0 && errno == EINTR;
            patience = std::max(
                std::chrono::milliseconds{0},
                std::chrono::duration_cast<std::chrono::milliseconds>(
                    deadline - std::chrono::steady_clock::now()
                )
            );
            if (interrupted && spend(patience)) continue;
            // An error or a hang-up counts as ready: write() will say which.
            return count > 0;
        }
    }

    int descriptor_;
    bool last_was_lost_{false};
    bool is_torn_{false};  ///< A line was cut short, so the next one must begin with a newline.
};

/// spdlog's sink: adds the time to a payload made by `append_text` or `append_json`.
class DescriptorSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    DescriptorSink(int descriptor, Format format)
        : spdlog::sinks::base_sink<std::mutex>{std::make_unique<spdlog::pattern_formatter>(
              format == Format::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)"
                                     : "%Y-%m-%dT%H:%M:%S.%eZ %v",
              spdlog::pattern_time_type::utc,
              "\n"
          )},
          writer_{descriptor},
          format_{format} {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (lines_dropped_ > 0) report_dropped(message);
        if (!write_message(message)) ++lines_dropped_;
    }

    void flush_() override {}

private:
    bool write_message(const spdlog::details::log_msg& message) {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        return writer_.write_line({line.data(), line.size()});
    }

    void report_dropped(const spdlog::details::log_msg& message) {
        const Field count{"count", lines_dropped_};
        std::string payload;
        if (format_ == Format::json) {
            append_json(payload, Level::warn, "log_lines_dropped", {&count, 1});
        } else {
            append_text(payload, Level::warn, "log_lines_dropped", {&count, 1});
        }
        auto notice = message;
        notice.payload = spdlog::string_view_t{payload.data(), payload.size()};
        if (write_message(notice)) lines_dropped_ = 0;
    }

    DescriptorWriter writer_;
    Format format_;
    std::uint64_t lines_dropped_{0};
};

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
    case Level::trace:
        return spdlog::level::trace;
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warn:
        return spdlog::level::warn;
    case Level::error:
        return spdlog::level::err;
    }
    return spdlog::level::err;
}

class SpdlogLogger : public Logger {
public:
    SpdlogLogger(int descriptor, Level level, Format format)
        : sink_{"pgchronicle", std::make_shared<DescriptorSink>(descriptor, format)},
          level_{level},
          format_{format} {
        // Levels are decided here, since `write` is for what must be seen whatever is set.
        sink_.set_level(spdlog::level::trace);
        // spdlog's own handler would print to the very stream that failed.
        sink_.set_error_handler([](const std::string&) {});
    }

    void write(Level level, std::string_view event, std::span<const Field> fields) noexcept
        override {
        try {
            std::string payload;
            if (format_ == Format::json) {
                append_json(payload, level, event, fields);
            } else {
                append_text(payload, level, event, fields);
            }
            sink_.log(spdlog_level(level), spdlog::string_view_t{payload.data(), payload.size()});
        } catch (...) {  // Out of memory, say: the line is lost, the service is not.
        }
    }

    [[nodiscard]] bool enabled(Level level) const noexcept override {
        return level >= level_.load(std::memory_order_relaxed);
    }

    void set_level(Level level) noexcept override {
        level_.store(level, std::memory_order_relaxed);
    }

private:
    spdlog::logger sink_;
    std::atomic<Level> level_;
    Format format_;
};

class NullLogger : public Logger {
public:
    void
    write(Level /*level*/, std::string_view /*event*/, std::span<const Field> /*fields*/) noexcept
        override {}
    [[nodiscard]] bool enabled(Level /*level*/) const noexcept override { return false; }
    void set_level(Level /*level*/) noexcept override {}
};

}  // namespace

std::string_view to_string(Level level) {
    switch (level) {
    case Level::trace:
        return "trace";
    case Level::debug:
        return "debug";
    case Level::info:
        return "info";
    case Level::warn:
        return "warn";
    case Level::error:
        return "error";
    }
    return "error";
}

Field::Field(std::string_view name, double number)
    : key{name}, value{fmt::format("{}", number)}, is_literal{std::isfinite(number)} {}

std::unique_ptr<Logger> make_stderr_logger(Level level, Format format) {
    // Were descriptor 2 free, the next socket would get it, and log lines would go to a server.
    if (::fcntl(STDERR_FILENO, F_GETFD) < 0 && errno == EBADF) {
        const int sink = ::open("/dev/null", O_WRONLY);
        if (sink >= 0 && sink != STDERR_FILENO) {
            ::dup2(sink, STDERR_FILENO);
            ::close(sink);
        }
    }
    return make_fd_logger(STDERR_FILENO, level, format);
}

std::unique_ptr<Logger> make_fd_logger(int descriptor, Level level, Format format) {
    return std::make_unique<SpdlogLogger>(descriptor, level, format);
}

std::unique_ptr<Logger> make_null_logger() {
    return std::make_unique<NullLogger>();
}

}  // namespace pgchronicle::log
