#include "replicator/io/life.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <condition_variable>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace pgchronicle::replicator::io {

using namespace std::chrono_literals;

namespace {

/// The session gives up waiting for the target after 8 s; what then still hangs is cut off here,
/// well before a service manager would kill.
constexpr auto stop_patience = 9s;
constexpr auto tick = 200ms;

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

Life::Life() {
    // Writing to a closed connection or log must be an error, not an end.
    ::signal(SIGPIPE, SIG_IGN);
    const auto set = our_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) > 0) {
        watchdog_ = std::chrono::microseconds{static_cast<std::int64_t>(microseconds)};
    }
    beat(1h);
    thread_ = std::jthread{[this](const std::stop_token& done) { watch(done); }};
}

Life::~Life() = default;

void Life::beat(std::chrono::milliseconds valid_for) {
    alive_until_ = (Clock::now() + valid_for).time_since_epoch().count();
}

void Life::on_reload(std::function<void()> reload) {
    const std::lock_guard lock{mutex_};
    reload_ = std::move(reload);
}

void Life::notify_ready() {
    if (ready_) return;
    ready_ = true;
    sd_notify(0, "READY=1");
}

void Life::notify_status(const std::string& text) {
    sd_notify(0, ("STATUS=" + text).c_str());
}

void Life::notify_stopping() {
    sd_notify(0, "STOPPING=1");
}

bool Life::sleep(std::chrono::milliseconds delay) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock{mutex};
    const auto stop = stop_.get_token();
    wake.wait_for(lock, stop, delay, [&] { return stop.stop_requested(); });
    return stop.stop_requested();
}

void Life::on_signal(int number) {
    if (number == SIGHUP) {
        const std::lock_guard lock{mutex_};
        if (reload_) reload_();
        return;
    }
    if (stop_.stop_requested()) ::_exit(0);
    stop_by_ = (Clock::now() + stop_patience).time_since_epoch().count();
    // Callbacks may wait for a server for a moment; the next signal must not wait for them.
    std::thread{[stop = stop_]() mutable { stop.request_stop(); }}.detach();
}

void Life::watch(const std::stop_token& done) {
    const auto set = our_signals();
    const auto feed = watchdog_.count() == 0 ? 0us : watchdog_ / 3;
    auto fed = Clock::time_point{};
    while (!done.stop_requested()) {
        const timespec timeout{0, std::chrono::nanoseconds{tick}.count()};
        const int number = sigtimedwait(&set, nullptr, &timeout);
        if (number > 0) on_signal(number);
        const auto now = Clock::now();
        const auto ticks = now.time_since_epoch().count();
        if (stop_by_ != 0 && ticks > stop_by_) ::_exit(0);
        if (feed.count() != 0 && now - fed >= feed && ticks < alive_until_) {
            sd_notify(0, "WATCHDOG=1");
            fed = now;
        }
    }
}

}  // namespace pgchronicle::replicator::io
