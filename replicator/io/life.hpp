#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace pgchronicle::replicator::io {

/// Signals, service manager and watchdog of a process that runs for long.
///
/// Made before any other thread: SIGTERM, SIGINT and SIGHUP are blocked everywhere and waited for
/// by one thread, which asks `stop_token()` to stop, or calls the reload handler. A second SIGTERM,
/// or a stop that takes longer than services are given, ends the process at once; nothing is lost
/// by that. The watchdog of systemd is fed for as long as `beat` promised life.
class Life {
public:
    Life();
    ~Life();
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;

    [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }
    /// The process is well for at least this long, whatever happens.
    void beat(std::chrono::milliseconds valid_for);
    /// What SIGHUP does. Thread: the signals'.
    void on_reload(std::function<void()> reload);

    /// Tells the service manager: ready to serve, what it does, that it is ending.
    void notify_ready();
    void notify_status(const std::string& text);
    void notify_stopping();

    /// Waits for `delay` or until a stop is asked for; true for the latter.
    [[nodiscard]] bool sleep(std::chrono::milliseconds delay);

private:
    void watch(const std::stop_token& done);
    void on_signal(int number);

    using Clock = std::chrono::steady_clock;
    std::stop_source stop_;
    std::mutex mutex_;
    std::function<void()> reload_;
    std::atomic<Clock::rep> alive_until_;
    std::atomic<Clock::rep> stop_by_{0};
    std::chrono::microseconds watchdog_{0};
    bool ready_{false};
    std::jthread thread_;
};

}  // namespace pgchronicle::replicator::io
