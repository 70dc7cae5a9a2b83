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

/// Who holds the pipeline's lock on the target, as "process 4711 (...)"; empty when nobody does.
/// Only looks, so that a pipeline that starts now is not kept waiting.
[[nodiscard]] std::string lock_holder(pq::Connection& target, const std::string& pipeline);

}  // namespace pgchronicle::commands
