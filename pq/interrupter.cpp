#include "pq/interrupter.hpp"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <fcntl.h>
#include <future>
#include <thread>
#include <unistd.h>

namespace pgchronicle::pq {

Interrupter::Interrupter(PGconn* raw)
    : cancel_{PQgetCancel(raw), Free{}},
      descriptor_{::fcntl(PQsocket(raw), F_DUPFD_CLOEXEC, 0)} {
}  // NOLINT(cppcoreguidelines-pro-type-vararg)

Interrupter::~Interrupter() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void Interrupter::cancel() noexcept {
    if (!cancel_) return;
    try {
        // PQcancel knows no time limit of its own, so it gets a thread that may be left behind.
        auto sent = std::make_shared<std::promise<void>>();
        auto done = sent->get_future();
        std::thread{[cancel = cancel_, sent] {
            std::array<char, 256> text{};
            PQcancel(cancel.get(), text.data(), static_cast<int>(text.size()));
            sent->set_value();
        }}.detach();
        done.wait_for(std::chrono::seconds{1});
    } catch (...) {
        // No thread to be had: the owner's own time limits still hold.
        return;
    }
}

void Interrupter::hang_up() noexcept {
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace pgchronicle::pq
