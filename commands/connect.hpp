#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"

#include <string>

namespace pgchronicle::commands {

/// How a command connects: `application_name` becomes "pgchronicle <command>".
[[nodiscard]] pq::ConnectOptions
connect_options(const config::Connection& connection, const std::string& command);

/// Connects for `command`; throws pq::Error.
[[nodiscard]] pq::Connection
connect(const config::Connection& connection, const std::string& command);

}  // namespace pgchronicle::commands
