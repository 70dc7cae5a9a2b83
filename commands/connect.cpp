#include "commands/connect.hpp"

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

}  // namespace pgchronicle::commands
