#pragma once

#include "pq/connection.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pgchronicle::pq {

/// A connection in COPY BOTH mode, as START_REPLICATION leaves it. Never blocks once started.
/// Throws Error when the server ends the stream or the connection is lost.
class CopyBoth {
public:
    /// Runs `command` and waits for the server to agree.
    CopyBoth(Connection connection, const std::string& command);

    /// The next CopyData message, or an empty span when none is complete. Valid until the next
    /// call.
    [[nodiscard]] std::span<const std::byte> next();

    /// Reads what the socket has. Call when it is readable, before `next`.
    void consume();

    /// Queues a message and sends what the socket takes.
    void put(std::span<const std::byte> message);
    /// Sends what is queued; true when nothing is left.
    bool flush();

    /// Says that no more is wanted. What is still coming is to be read, until `ended`.
    void end();

    /// The server has ended the stream in good order (it is shutting down).
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] int socket() const { return connection_.socket(); }

private:
    struct Free {
        void operator()(char* buffer) const { PQfreemem(buffer); }
    };
    Connection connection_;
    std::unique_ptr<char, Free> buffer_;
    bool ended_{false};
};

}  // namespace pgchronicle::pq
