#include "replicator/io/replication_stream.hpp"

#include "pq/same_host.hpp"

#include <sys/socket.h>

#include <string_view>
#include <utility>

namespace pgchronicle::replicator::io {

namespace {

/// What `call` gives, with errors marked as the stream's.
template <typename Call>
auto of_stream(Call call) {
    try {
        return call();
    } catch (const pq::Error& error) {
        throw StreamError{error};
    }
}

/// PostgreSQL 18 passes over changes whose publication it cannot load and says only this; earlier
/// versions fail with undefined_object. The text is translated, severity and SQLSTATE are not.
pq::Connection watched(pq::Connection source, std::optional<std::string>& skipped) {
    static constexpr std::string_view not_in_prerequisite_state = "55000";
    source.on_notice([&skipped](auto severity, auto sqlstate, std::string_view message) {
        if (severity == "WARNING" && sqlstate == not_in_prerequisite_state) skipped = message;
    });
    return source;
}

}  // namespace

ReplicationStream::ReplicationStream(
    boost::asio::any_io_executor executor,
    pq::Connection connection,
    const std::string& command
)
    : copy_(of_stream([&] {
          return pq::CopyBoth{watched(std::move(connection), skipped_), command};
      })),
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

std::span<const std::byte> ReplicationStream::receive() {
    auto frame = copy_.next();
    if (!frame.empty() || copy_.ended()) return frame;
    copy_.consume();
    return copy_.next();
}

std::span<const std::byte> ReplicationStream::next() {
    const auto frame = of_stream([this] { return receive(); });
    // libpq meets a notice on its way to the next frame: this one came after it, and says how far
    // the source has come, which is past what it left out.
    constexpr const char* undefined_object = "42704";
    if (skipped_)
        throw StreamError{pq::Error{{.sqlstate = undefined_object, .primary = *skipped_}}};
    return frame;
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
    of_stream([&] { copy_.put(bytes); });
}

}  // namespace pgchronicle::replicator::io
