#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"

namespace pgchronicle::reading {

/// How HTTP's readers reach the target: read-only, with limits, and as the role that is set.
[[nodiscard]] pq::ConnectOptions reader_options(const config::Settings& settings);

}  // namespace pgchronicle::reading
