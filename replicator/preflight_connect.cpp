#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"

namespace pgchronicle::replicator {
namespace {

const char* name_of(Side side) {
    return side == Side::target ? "target" : "source";
}

std::string role_of(const Peer& peer) {
    return pq::quote_identifier(peer.user.empty() ? "role" : peer.user);
}

/// What may mend a failed connection; the server's own hint comes first.
struct Remedy {
    std::string hint{};
    std::string sql{};
};

Remedy refused_login(const Failure& failure, const Peer& peer) {
    constexpr const char* invalid_password = "28P01";
    if (failure.sqlstate == invalid_password) {
        return {
            "Correct the password in the configuration, or give the role that one. The server says "
            "the same of a role that does not exist.",
            "ALTER ROLE " + role_of(peer) + " LOGIN PASSWORD '...';",
        };
    }
    return {
        "The role must exist and have LOGIN, and the server's pg_hba.conf must admit it from this "
        "host; both servers' certificates and sslmode must fit where TLS is used.",
        "ALTER ROLE " + role_of(peer) + " LOGIN;\nSELECT pg_reload_conf();  -- after pg_hba.conf",
    };
}

Remedy remedy_for(const Failure& failure, const Peer& peer) {
    const std::string& code = failure.sqlstate;
    if (code.starts_with("28")) return refused_login(failure, peer);
    if (code == "3D000") {
        return {
            "Correct dbname in the configuration, or create the database.",
            "CREATE DATABASE " +
                pq::quote_identifier(peer.database.empty() ? "database" : peer.database) + ";",
        };
    }
    if (code == "53300") {
        return {
            "The server allows no further connection.",
            "ALTER SYSTEM SET max_connections = 200;  -- restart the server",
        };
    }
    if (code == "42501") {
        return {
            "Grant the role what it lacks.",
            "GRANT CONNECT ON DATABASE " +
                pq::quote_identifier(peer.database.empty() ? "database" : peer.database) + " TO " +
                role_of(peer) + ";",
        };
    }
    if (code.starts_with("57P")) return {"The server is starting up or shutting down; try again."};
    if (!code.empty()) return {};
    return {
        "Check host, port and firewall, and that the server runs and listens there.",
        "ALTER SYSTEM SET listen_addresses = '*';  -- where it listens on localhost only; restart "
        "the server",
    };
}

}  // namespace

void judge_failure(
    Side side,
    const Failure& failure,
    const Peer& peer,
    std::vector<Problem>& problems
) {
    Remedy remedy = remedy_for(failure, peer);
    if (!failure.hint.empty()) remedy.hint = failure.hint + " " + remedy.hint;
    problems.push_back({
        .severity = Severity::fatal,
        .where = side,
        .what = std::string{"could not use the "} + name_of(side) + ": " + failure.primary,
        .detail = failure.detail,
        .hint = std::move(remedy.hint),
        .mending_sql = std::move(remedy.sql),
    });
}

void judge_transport(Side side, const Peer& peer, std::vector<Problem>& problems) {
    if (!peer.network || peer.sslmode == "verify-full") return;
    problems.push_back({
        .severity = Severity::warning,
        .where = side,
        .what = std::string{"the "} + name_of(side) + " is reached over a network with sslmode " +
                shown(peer.sslmode),
        .detail = peer.sslmode == "verify-ca"
                      ? "Any host that has a certificate of the same authority can pass for the "
                        "server."
                      : "Whoever stands in between can pass for the server, read and change what "
                        "is sent, and ask for the password.",
        .hint = "Put sslmode=verify-full into the DSN, and sslrootcert=FILE with the certificate "
                "of the server's authority. With channel_binding=require the password is useless "
                "to anybody else.",
    });
}

}  // namespace pgchronicle::replicator
