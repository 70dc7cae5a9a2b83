#include "replicator/io/service.hpp"

#include <array>
#include <unistd.h>
#include <utility>

// How the service connects.

namespace pgchronicle::replicator::io {

namespace {

std::string process_name(const std::string& pipeline) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return "pgchronicle " + pipeline + " " + host.data() + " " + std::to_string(::getpid());
}

}  // namespace

pq::ConnectOptions
Service::connect_options(const config::Connection& connection, ServerSettings settings) const {
    return {
        connection.dsn,
        connection.password.reveal(),
        process_name(settings_.pipeline),
        false,
        connection.connect_timeout,
        connection.tcp_user_timeout,
        std::move(settings)};
}

pq::ConnectOptions Service::source_options() const {
    return connect_options(settings_.source.connection, {{"xmloption", "content"}});
}

pq::ConnectOptions Service::target_options() const {
    return connect_options(
        settings_.target.connection,
        // Asynchronous commits: the flushed position is followed and waited for before anything is
        // acknowledged. The server looks after a client that died while it waits, so that the lock
        // does not outlive us for long.
        {{"synchronous_commit", "off"},
         {"client_connection_check_interval", "2s"},
         {"xmloption", "content"},
         {"jit", "off"}}
    );
}

pq::ConnectOptions Service::writer_options() const {
    auto options = target_options();
    // Closes must be index look-ups whatever the statistics say.
    for (const char* planner : {"enable_hashjoin", "enable_mergejoin", "enable_seqscan"}) {
        options.settings.emplace_back(planner, "off");
    }
    options.settings.emplace_back("plan_cache_mode", "force_generic_plan");
    return options;
}

}  // namespace pgchronicle::replicator::io
