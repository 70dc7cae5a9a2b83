#include "replicator/io/replication_stream.hpp"

#include "pq/same_host.hpp"

#include <sys/socket.h>

namespace pgchronicle::replicator::io {

ReplicationStream::ReplicationStream(
    boost::asio::any_io_executor executor,
    pq::Connection connection,
    const std::string& command
)
    : copy_{std::move(connection), command},
      descriptor_{std::move(executor)},
      same_host_{pq::on_same_host(copy_.socket())} {
    if (!same_host_) return;
    // What is read in steps had better wait on the server's side, where it is put together. Below
    // the size of one loopback packet, however, the kernel's probes for room set the pace.
    constexpr int receive_bytes = 128 << 10;
    (void)setsockopt(copy_.socket(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
}

ReplicationStream::~ReplicationStream() {
    if (descriptor_.is_open()) descriptor_.release();
}

std::span<const std::byte> ReplicationStream::next() {
    auto frame = copy_.next();
    if (!frame.empty() || copy_.ended()) return frame;
    copy_.consume();
    return copy_.next();
}

void ReplicationStream::when_readable(std::function<void()> callback) {
    if (waiting_) return;
    waiting_ = true;
    // Asio watches a descriptor from when it gets it, whether or not anybody waits: while we read
    // in larger steps, or not at all, each small message of the server would wake this thread.
    descriptor_.assign(copy_.socket());
    descriptor_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, callback = std::move(callback)](const boost::system::error_code& error) {
            if (error) return;  // The stream is being destroyed.
            waiting_ = false;
            descriptor_.release();
            callback();
        }
    );
}

void ReplicationStream::send(const pgoutput::StatusUpdate& status) {
    const auto bytes = pgoutput::encode(status);
    copy_.put(bytes);
}

}  // namespace pgchronicle::replicator::io
