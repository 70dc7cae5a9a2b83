#pragma once

#include "pgoutput/stream_frame.hpp"
#include "pq/error.hpp"

#include <cstddef>
#include <functional>
#include <span>

namespace pgchronicle::replicator::io {

/// What the source says of the stream: it refuses to start it, ends it with an error, or is gone.
/// Told apart from errors of target and catalog, which may carry the same SQLSTATE.
class StreamError : public pq::Error {
public:
    explicit StreamError(const pq::Error& error) : pq::Error{error} {}
};

/// What comes of a slot, and what is told to it. Errors: StreamError. Thread: the loop's.
class Stream {
public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    /// The next frame's bytes if one is complete, else empty. Valid until the next call.
    [[nodiscard]] virtual std::span<const std::byte> next() = 0;
    /// Calls back once when there is something to read. One wait at a time: others are dropped.
    virtual void when_readable(std::function<void()> callback) = 0;
    virtual void send(const pgoutput::StatusUpdate& status) = 0;
    /// The server ended the stream: it is shutting down.
    [[nodiscard]] virtual bool ended() const = 0;
    /// Source and program share a machine, and talk TCP.
    [[nodiscard]] virtual bool same_host() const = 0;
};

}  // namespace pgchronicle::replicator::io
