#pragma once

#include "pq/copy_both.hpp"
#include "replicator/io/stream.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace pgchronicle::replicator::io {

/// The slot's stream on an Asio descriptor. Decides nothing. Thread: the executor's.
class ReplicationStream : public Stream {
public:
    /// Runs `command`, a START_REPLICATION.
    ReplicationStream(
        boost::asio::any_io_executor executor,
        pq::Connection connection,
        const std::string& command
    );
    // libpq closes the descriptor, so Asio must let go of it first.
    ~ReplicationStream() override;

    [[nodiscard]] std::span<const std::byte> next() override;
    void when_readable(std::function<void()> callback) override;
    void send(const pgoutput::StatusUpdate& status) override;
    [[nodiscard]] bool ended() const override { return copy_.ended(); }
    [[nodiscard]] bool same_host() const override { return same_host_; }

private:
    std::span<const std::byte> receive();

    std::optional<std::string> skipped_;  ///< The source's words: it passes over a publication.
    pq::CopyBoth copy_;
    boost::asio::posix::stream_descriptor descriptor_;
    bool same_host_;
    bool waiting_{false};
};

}  // namespace pgchronicle::replicator::io
