#include "commands/gather_facts.hpp"

#include "commands/connect.hpp"
#include "commands/gather_source.hpp"
#include "commands/gather_target.hpp"
#include "pq/conninfo.hpp"
#include "source_catalog/catalog.hpp"

#include <cerrno>
#include <optional>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

replicator::Failure failure_of(const pq::Error& error) {
    return {error.sqlstate(), error.primary(), error.detail(), error.hint()};
}

replicator::Peer peer_of(const config::Connection& connection) {
    const auto keywords = pq::attempts(connect_options(connection, "check")).front();
    return {
        .host = pq::value_of(keywords, "host"),
        .port = pq::value_of(keywords, "port"),
        .user = pq::value_of(keywords, "user"),
        .database = pq::value_of(keywords, "dbname"),
    };
}

void note_transport(const pq::Connection& connection, replicator::Peer& peer) {
    peer.network = connection.over_network();
    peer.sslmode = connection.option("sslmode");
}

std::string spool_error(const std::string& directory) {
    if (::access(directory.c_str(), W_OK | X_OK) == 0) return {};
    return std::error_code{errno, std::generic_category()}.message();
}

}  // namespace

replicator::Facts gather_facts(const config::Settings& settings) {
    replicator::Facts facts;
    facts.settings = settings;
    facts.spool_error = spool_error(settings.spool_dir);
    std::optional<pq::Connection> source;
    try {
        facts.source_peer = peer_of(settings.source.connection);
        source = connect(settings.source.connection, "check");
        note_transport(*source, facts.source_peer);
        facts.source = gather_source(*source, settings);
        if (facts.source) {
            auto options = connect_options(settings.source.connection, "check");
            options.replication = true;
            try {
                (void)pq::Connection::open(options);
            } catch (const pq::Error& error) {
                facts.source->replication_failure = failure_of(error);
            }
        }
    } catch (const pq::Error& error) {
        facts.source.reset();
        facts.source_failure = failure_of(error);
    }
    try {
        facts.target_peer = peer_of(settings.target.connection);
        auto target = connect(settings.target.connection, "check");
        note_transport(target, facts.target_peer);
        facts.target = gather_target(target, facts);
    } catch (const pq::Error& error) {
        facts.target_failure = failure_of(error);
    }
    if (!facts.source || !facts.target) return facts;
    try {
        // Beside a pipeline at work the checkpoint may have passed what the source had written when
        // it was asked.
        facts.source->server.flush_lsn = source_catalog::read_server(*source).flush_lsn;
    } catch (const pq::Error& error) {
        facts.source.reset();
        facts.source_failure = failure_of(error);
    }
    return facts;
}

}  // namespace pgchronicle::commands
