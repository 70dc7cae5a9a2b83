#pragma once

#include "config/settings.hpp"

#include <chrono>
#include <iosfwd>

namespace pgchronicle::commands {

struct StatusOptions {
    bool json{false};
    /// How long to watch the target for rows per second; 0: do not.
    std::chrono::milliseconds watch{0};
};

/// One look at the pipeline: state, lag, slot, tables, gaps. Either side may be unreachable; what
/// it alone knows is then left out. Holds no secret. Returns 0, or 1 without the target.
int status(const config::Settings& settings, const StatusOptions& options, std::ostream& out);

}  // namespace pgchronicle::commands
