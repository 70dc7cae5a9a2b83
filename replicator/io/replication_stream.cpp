#include "replicator/io/replication_stream.hpp"

namespace pgchronicle::replicator::io {

ReplicationStream::ReplicationStream(
    boost::asio::any_io_executor executor,
    pq::Connection connection,
    const std::string& command
)
    : copy_{std::move(connection), command}, descriptor_{std::move(executor), copy_.socket()} {}

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
    descriptor_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, callback = std::move(callback)](const boost::system::error_code& error) {
            if (error) return;  // The stream is being destroyed.
            waiting_ = false;
            callback();
        }
    );
}

void ReplicationStream::send(const pgoutput::StatusUpdate& status) {
    const auto bytes = pgoutput::encode(status);
    copy_.put(bytes);
}

}  // namespace pgchronicle::replicator::io
