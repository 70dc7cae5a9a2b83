#pragma once

#include <libpq-fe.h>
#include <memory>

namespace pgchronicle::pq {

/// What another thread may use of a connection: nothing here belongs to libpq's own state.
/// Thread: any.
class Interrupter {
public:
    /// `raw` is connected; it is not kept.
    explicit Interrupter(PGconn* raw);
    ~Interrupter();
    Interrupter(const Interrupter&) = delete;
    Interrupter& operator=(const Interrupter&) = delete;

    /// Asks the server to cancel the running statement; returns after a second at the latest,
    /// though the request may then still be under way.
    void cancel() noexcept;

    /// Ends the connection, so that a blocked call of its owner returns with an error.
    void hang_up() noexcept;

private:
    struct Free {
        void operator()(PGcancel* raw) const { PQfreeCancel(raw); }
    };
    // Shared with the thread that sends the request, which may outlive us.
    std::shared_ptr<PGcancel> cancel_;
    // A duplicate: libpq may close its own descriptor, and the number be given to another file,
    // while somebody interrupts.
    int descriptor_;
};

}  // namespace pgchronicle::pq
