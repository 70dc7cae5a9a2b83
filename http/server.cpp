#include "http/server.hpp"

#include "http/endpoints.hpp"
#include "http/event_stream.hpp"
#include "http/listener.hpp"
#include "http/lookout.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

namespace pgchronicle::http {

namespace {

namespace asio = boost::asio;

/// Requests that wait for a reader; behind so many, waiting is of no use.
constexpr std::size_t queue_max = 256;
constexpr std::chrono::milliseconds drain_poll{20};
constexpr std::chrono::milliseconds listen_pause{1'000};
/// A reader that has to connect first does not make a client wait for long.

ReaderOptions pool_options(const ServerParts& parts) {
    return {
        parts.reader,
        static_cast<std::size_t>(parts.settings.http.connections),
        queue_max,
        parts.replicates};
}

CacheLimits cache_limits(const config::Http& http) {
    CacheLimits limits;
    limits.time_max = http.cache_time;
    limits.time_min = std::min(limits.time_min, limits.time_max);
    return limits;
}

ConnectionLimits connection_limits(const config::Http& http) {
    return {http.request_timeout, http.idle_timeout, http.cors_origins, http.clients_max / 2 + 1};
}

}  // namespace

struct Server::State {
    explicit State(ServerParts given)
        : parts{std::move(given)},
          lookout{
              {io,
               parts.metrics,
               [this] { return parts.look(); },
               [this](const Observation& seen) {
                   responder.watch().note(seen.position, seen.began);
               },
               parts.replicates}},
          readers{pool_options(parts)},
          responder{
              {io,
               router,
               readers,
               parts.metrics,
               parts.log,
               parts.settings.pipeline,
               cache_limits(parts.settings.http),
               parts.settings.http.hosts,
               [this] { return listener.is_public(); }}},
          clients{std::make_shared<Clients>(
              static_cast<std::size_t>(parts.settings.http.clients_max),
              parts.metrics
          )},
          context{
              responder,
              clients,
              connection_limits(parts.settings.http),
              [this](auto stream, Request request, std::vector<Header> headers) {
                  follow(std::move(stream), std::move(request), std::move(headers));
              }},
          listener{io, *parts.settings.http.listen, context} {
        add_report_endpoints(router, parts.reports);
        add_table_endpoints(router, parts.settings);
        add_change_endpoints(router);
        add_service_endpoints(router, lookout, parts.metrics, parts.replicates);
        add_page_endpoints(router);
        add_openapi_endpoint(router);
    }

    void follow(boost::beast::tcp_stream stream, Request request, std::vector<Header> headers);
    void drain(Clock::time_point deadline);
    void listen();
    void listen_again();

    ServerParts parts;
    asio::io_context io{1};
    Router router;
    Lookout lookout;
    ReaderPool readers;
    Responder responder;
    std::shared_ptr<Clients> clients;
    ConnectionContext context;
    Listener listener;
    asio::steady_timer drain_timer{io};
    asio::steady_timer listen_timer{io};
    std::thread thread;
    bool stopped{false};
};

void Server::State::follow(
    boost::beast::tcp_stream stream,
    Request request,
    std::vector<Header> headers
) {
    auto events = std::make_shared<EventStream>(
        std::move(stream),
        EventStream::Parts{responder, clients, std::move(headers), context.limits.followers_max}
    );
    events->start(parts.settings, request);
}

void Server::State::drain(Clock::time_point deadline) {
    if (clients->count() == 0 || Clock::now() >= deadline) {
        // Whoever is left is cut off when the sockets go.
        io.stop();
        return;
    }
    drain_timer.expires_after(drain_poll);
    drain_timer.async_wait([this, deadline](const boost::system::error_code& error) {
        if (!error) drain(deadline);
    });
}

Server::Server(ServerParts parts) : state_{std::make_unique<State>(std::move(parts))} {}

Server::~Server() {
    stop({});
}

void Server::State::listen() {
    listener.open();
    listener.start();
    const auto& address = *parts.settings.http.listen;
    if (listener.is_public()) {
        parts.log.warn(
            "http_public",
            {{"listen", address},
             {"message",
              "others than this host can read the history: there is no password and no TLS here; "
              "put a proxy with both before it, or listen on 127.0.0.1"}}
        );
    }
    parts.log.info("http_listening", {{"listen", address}, {"port", listener.port()}});
}

void Server::State::listen_again() {
    listen_timer.expires_after(listen_pause);
    listen_timer.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        try {
            listen();
        } catch (const std::runtime_error&) {
            listen_again();
        }
    });
}

void Server::start() {
    auto& state = *state_;
    try {
        state.listen();
    } catch (const std::runtime_error& error) {
        if (!state.parts.replicates) throw;
        state.parts.log.error("http_not_listening", {{"message", error.what()}});
        state.listen_again();
    }
    state.lookout.start();
    state.thread = std::thread{[&state] {
        if (state.parts.replicates) yield_to_replication();
        const auto work = asio::make_work_guard(state.io);
        state.io.run();
    }};
}

void Server::stop(std::chrono::milliseconds patience) {
    auto& state = *state_;
    if (state.stopped) return;
    state.stopped = true;
    if (state.thread.joinable()) {
        asio::post(state.io, [&state, patience] {
            state.listen_timer.cancel();
            state.listener.stop();
            state.responder.stop();
            state.clients->for_each([](Client& client) { client.drain(); });
            state.drain(Clock::now() + patience);
        });
        state.thread.join();
    }
    state.readers.stop();
    state.lookout.stop();
}

}  // namespace pgchronicle::http
