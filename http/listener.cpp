#include "http/listener.hpp"

#include <boost/asio/write.hpp>

#include <stdexcept>
#include <utility>

namespace pgchronicle::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// Where no descriptor is left, one may be soon.
constexpr std::chrono::milliseconds pause_after_failure{100};

tcp::endpoint resolve(asio::io_context& io, const std::string& address) {
    const auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    error_code error;
    const auto found =
        tcp::resolver{io}.resolve(host, address.substr(colon + 1), tcp::resolver::passive, error);
    if (error || found.empty()) {
        throw std::runtime_error{
            "could not find address \"" + address + "\" of http.listen: " + error.message()};
    }
    return *found.begin();
}

}  // namespace

Listener::Listener(asio::io_context& io, std::string address, ConnectionContext& context)
    : io_{io}, address_{std::move(address)}, context_{context}, acceptor_{io}, pause_{io} {}

void Listener::open() {
    const auto endpoint = resolve(io_, address_);
    error_code error;
    tcp::acceptor acceptor{io_};
    const auto fail = [&](const char* what) {
        if (!error) return;
        throw std::runtime_error{
            std::string{"could not "} + what + " \"" + address_ +
            "\" (http.listen): " + error.message()};
    };
    acceptor.open(endpoint.protocol(), error);
    fail("open");
    acceptor.set_option(asio::socket_base::reuse_address{true}, error);
    acceptor.bind(endpoint, error);
    fail("listen on");
    acceptor.listen(asio::socket_base::max_listen_connections, error);
    fail("listen on");
    acceptor_ = std::move(acceptor);
}

std::uint16_t Listener::port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
}

bool Listener::is_public() const {
    error_code ignored;
    return !acceptor_.local_endpoint(ignored).address().is_loopback();
}

void Listener::start() {
    accept();
}

void Listener::stop() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

void Listener::accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
        if (!acceptor_.is_open()) return;
        if (error) {
            pause_.expires_after(pause_after_failure);
            pause_.async_wait([this](const error_code& cancelled) {
                if (!cancelled) accept();
            });
            return;
        }
        if (context_.clients->full()) {
            turn_away(std::move(socket));
        } else {
            std::make_shared<Connection>(std::move(socket), context_)->start();
        }
        accept();
    });
}

void Listener::turn_away(tcp::socket socket) {
    context_.responder.metrics().refused_client();
    const auto answer = answer_of(unavailable("busy", "too many clients are connected"));
    std::string text{"HTTP/1.1 503 Service Unavailable\r\n"};
    for (const auto& header : wire::headers_of(answer)) {
        text += header.name + ": " + header.value + "\r\n";
    }
    text += "Content-Length: " + std::to_string(answer.body.size()) +
            "\r\nConnection: close\r\n\r\n" + answer.body;
    // It fits the socket's buffer, or nobody waits for it.
    error_code ignored;
    socket.non_blocking(true, ignored);
    asio::write(socket, asio::buffer(text), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace pgchronicle::http
