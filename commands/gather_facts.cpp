#include "commands/gather_facts.hpp"

#include "commands/connect.hpp"
#include "commands/gather_source.hpp"
#include "commands/gather_target.hpp"
#include "pq/conninfo.hpp"

#include <cerrno>
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

std::string spool_error(const std::string& directory) {
    if (::access(directory.c_str(), W_OK | X_OK) == 0) return {};
    return std::error_code{errno, std::generic_category()}.message();
}

}  // namespace

replicator::Facts gather_facts(const config::Settings& settings) {
    replicator::Facts facts;
    facts.settings = settings;
    facts.spool_error = spool_error(settings.spool_dir);
    try {
        facts.source_peer = peer_of(settings.source.connection);
        auto source = connect(settings.source.connection, "check");
        facts.source = gather_source(source, settings);
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
        facts.target = gather_target(target, facts);
    } catch (const pq::Error& error) {
        facts.target_failure = failure_of(error);
    }
    return facts;
}

}  // namespace pgchronicle::commands
