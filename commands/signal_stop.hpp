#pragma once

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <stop_token>
#include <thread>

namespace pgchronicle::commands {

/// Makes Ctrl-C, SIGTERM and SIGHUP ask for a stop, for a command that has something to say to
/// servers before it ends. A second one ends the process at once. What is ignored stays so (nohup).
///
/// Made before any other thread, which then inherit that these signals are blocked. When it is
/// destroyed they mean again what they meant.
class SignalStop {
public:
    SignalStop();
    ~SignalStop();
    SignalStop(const SignalStop&) = delete;
    SignalStop& operator=(const SignalStop&) = delete;

    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

    /// Ends the process as the signal would have, which a shell tells apart from every exit code.
    /// Only after a stop.
    [[noreturn]] void end_process() const;

private:
    void watch();

    sigset_t watched_{};
    sigset_t before_{};
    int wake_{0};  ///< One of those that are watched.
    std::atomic<int> number_{0};
    std::atomic<bool> done_{false};
    std::stop_source stop_;
    std::thread thread_;
};

}  // namespace pgchronicle::commands
