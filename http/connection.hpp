#pragma once

#include "http/clients.hpp"
#include "http/request_head.hpp"
#include "http/responder.hpp"
#include "http/wire.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/serializer.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::http {

struct ConnectionLimits {
    std::chrono::milliseconds request_timeout{10'000};
    std::chrono::milliseconds idle_timeout{60'000};
    std::vector<std::string> cors_origins{};
    std::size_t followers_max{64};
};

/// What all connections share; outlives their work.
struct ConnectionContext {
    Responder& responder;
    std::shared_ptr<Clients> clients;
    ConnectionLimits limits;
    /// Goes on with events on a stream whose head is not sent yet.
    std::function<void(boost::beast::tcp_stream, Request, std::vector<Header>)> follow;
};

/// One client: reads a request, has it answered, writes the answer, and so on. A client may send
/// requests ahead; they are read one by one, and what is buffered of them is bounded. Whatever is
/// not in order ends the connection, so that nothing that follows is taken for a request.
class Connection : public Client {
public:
    Connection(boost::asio::ip::tcp::socket socket, ConnectionContext& context);
    ~Connection() override;

    void start();
    void drain() override;
    void cut() override;

private:
    std::shared_ptr<Connection> self();
    void await_request();
    void read_head();
    void on_head(const boost::beast::error_code& error);
    void reply(const SharedAnswer& answer);
    void refuse(const Refusal& refusal);
    void write(const SharedAnswer& answer, bool last);
    void on_written(const boost::beast::error_code& error);
    void linger();
    void close();

    ConnectionContext& context_;
    std::shared_ptr<Clients> clients_;  ///< Of the context, which may go first at the end.
    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    std::optional<RequestParser> parser_;
    std::optional<wire::Response> response_;
    std::optional<wire::Serializer> serializer_;
    std::string origin_;
    std::size_t answered_{0};
    std::size_t discarded_{0};
    bool keep_alive_{false};
    bool head_only_{false};
    bool idle_{true};
    bool draining_{false};
};

}  // namespace pgchronicle::http
