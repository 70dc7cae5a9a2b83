#include "commands/connect.hpp"

#include <fmt/format.h>

namespace pgchronicle::commands {

pq::ConnectOptions
connect_options(const config::Connection& connection, const std::string& command) {
    pq::ConnectOptions options;
    options.dsn = connection.dsn;
    options.password = connection.password.reveal();
    options.application_name = "pgchronicle " + command;
    options.connect_timeout = connection.connect_timeout;
    options.tcp_user_timeout = connection.tcp_user_timeout;
    return options;
}

pq::Connection connect(const config::Connection& connection, const std::string& command) {
    return pq::Connection::open(connect_options(connection, command));
}

std::string lock_holder(pq::Connection& target, const std::string& pipeline) {
    const pq::Result found = target.exec(
        "SELECT l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local')"
        " FROM (SELECT hashtextextended('pgchronicle/' || $1, 0) AS value) key"
        " JOIN pg_locks l ON l.classid::bigint = (key.value >> 32) & 4294967295"
        " AND l.objid::bigint = key.value & 4294967295"
        " JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()"
        " LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1",
        {pipeline}
    );
    if (found.rows() == 0) return {};
    return fmt::format(
        "process {} (\"{}\") from {}", found.text(0, 0), found.text(0, 1), found.text(0, 2)
    );
}

}  // namespace pgchronicle::commands
