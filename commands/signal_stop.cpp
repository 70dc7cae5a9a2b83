#include "commands/signal_stop.hpp"

#include <cstdlib>

namespace pgchronicle::commands {
namespace {

bool is_ignored(int number) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    return action.sa_handler == SIG_IGN;
}

[[noreturn]] void die_of(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    std::signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    std::raise(number);
    std::abort();  // These signals end a process.
}

}  // namespace

SignalStop::SignalStop() {
    sigemptyset(&watched_);
    for (const int number : {SIGHUP, SIGTERM, SIGINT}) {
        if (is_ignored(number)) continue;
        sigaddset(&watched_, number);
        wake_ = number;
    }
    pthread_sigmask(SIG_BLOCK, &watched_, &before_);
    if (wake_ != 0) thread_ = std::thread{[this] { watch(); }};
}

SignalStop::~SignalStop() {
    if (thread_.joinable()) {
        done_ = true;
        pthread_kill(thread_.native_handle(), wake_);
        thread_.join();
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalStop::watch() {
    for (;;) {
        int number = 0;
        sigwait(&watched_, &number);
        if (done_) return;
        if (number_.exchange(number) != 0) die_of(number);
        // Callbacks may wait for a server for a moment; the next signal must not wait for them.
        std::thread{[stop = stop_]() mutable { stop.request_stop(); }}.detach();
    }
}

void SignalStop::end_process() const {
    die_of(number_);
}

}  // namespace pgchronicle::commands
