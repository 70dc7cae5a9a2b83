#pragma once

#include "pgoutput/stream_frame.hpp"
#include "pq/copy_both.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <span>
#include <string>

namespace pgchronicle::replicator::io {

/// The slot's stream on an Asio descriptor. Decides nothing. Thread: the executor's.
class ReplicationStream {
public:
    ReplicationStream(
        boost::asio::any_io_executor executor,
        pq::Connection connection,
        const std::string& command
    );
    // libpq closes the descriptor, so Asio must let go of it first.
    ~ReplicationStream();
    ReplicationStream(const ReplicationStream&) = delete;
    ReplicationStream& operator=(const ReplicationStream&) = delete;

    /// The next frame's bytes if one is complete, else empty. Valid until the next call.
    [[nodiscard]] std::span<const std::byte> next();
    /// Calls back once when the socket has something to read. One wait at a time.
    void when_readable(std::function<void()> callback);
    void send(const pgoutput::StatusUpdate& status);
    /// The server ended the stream: it is shutting down.
    [[nodiscard]] bool ended() const { return copy_.ended(); }

    /// Source and program share a machine, and talk TCP.
    [[nodiscard]] bool same_host() const { return same_host_; }

private:
    pq::CopyBoth copy_;
    boost::asio::posix::stream_descriptor descriptor_;
    bool same_host_;
    bool waiting_{false};
};

}  // namespace pgchronicle::replicator::io
