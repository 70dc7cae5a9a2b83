#include "history_writer/pg/compression.hpp"
#include "history_writer/pg/metadata.hpp"
#include "replicator/io/service.hpp"
#include "replicator/stream_error.hpp"

#include <array>
#include <unistd.h>
#include <utility>

// How the service connects.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

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

void Service::take_lock(pq::Connection& target) {
    constexpr std::chrono::milliseconds poll{100};
    const auto give_up = Clock::now() + settings_.target.lock_timeout;
    bool waiting = false;
    while (!pg::try_lock_pipeline(target, settings_.pipeline)) {
        const auto holder = pg::pipeline_lock_holder(target, settings_.pipeline);
        if (!waiting) log_.info("lock_waiting", {{"holder", holder}});
        waiting = true;
        if (Clock::now() >= give_up) {
            throw NeedsOperator{
                "pipeline \"" + settings_.pipeline + "\" is run by another process",
                "It is held by " + holder + ".",
                "Two processes never write one history. Stop that one, or wait until its server "
                "side has noticed that it is gone."};
        }
        if (life_.sleep(poll)) return;
    }
    log_.info("lock_acquired", {{"pipeline", settings_.pipeline}});
}

pq::Connection Service::locked_target() {
    retrying_ = waiting_target_.has_value();
    if (retrying_) {
        auto target = *std::exchange(waiting_target_, std::nullopt);
        target.exec("SELECT 1");  // Where it was lost meanwhile, the next turn opens another.
        return target;
    }
    auto target = pq::Connection::open(writer_options());
    pg::prefer_lz4(target);
    pg::ensure_metadata(target);
    take_lock(target);
    return target;
}

pq::Connection Service::open_source(pq::Connection& target) {
    const auto mark = [&] {
        if (!std::exchange(retrying_, true)) pg::mark_retrying(target, settings_.pipeline);
    };
    // After a failure it may be long before this attempt ends, too.
    if (failing_since_) mark();
    try {
        auto source = pq::Connection::open(source_options());
        if (std::exchange(retrying_, false)) pg::unmark_retrying(target, settings_.pipeline);
        return source;
    } catch (const pq::Error&) {
        if (!target.ok()) throw;
        mark();
        waiting_target_ = std::move(target);
        throw;
    }
}

}  // namespace pgchronicle::replicator::io
