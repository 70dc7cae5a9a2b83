#pragma once

#include "http/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <string>

namespace pgchronicle::http {

/// Accepts clients. Those beyond the limit are told so and go.
class Listener {
public:
    /// `address` is host:port.
    Listener(boost::asio::io_context& io, std::string address, ConnectionContext& context);

    /// Opens the port. Throws std::runtime_error where that fails; can be called again then.
    void open();
    void start();
    void stop();

    [[nodiscard]] std::uint16_t port() const;
    /// Whether others than this host can reach it.
    [[nodiscard]] bool is_public() const;

private:
    void accept();
    void turn_away(boost::asio::ip::tcp::socket socket);

    boost::asio::io_context& io_;
    std::string address_;
    ConnectionContext& context_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
};

}  // namespace pgchronicle::http
