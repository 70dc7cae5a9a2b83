#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct RepairGapOptions {
    std::vector<std::int64_t> ids;  ///< As `status` tells them.
    std::string reason;             ///< What the audit rows say; may not be empty.
};

/// An operator knows of these gaps: they stay on record, and `status` is not red for them any more.
/// All of them or none. Returns the exit code; throws pq::Error.
int repair_accept_gap(
    const config::Settings& settings,
    const RepairGapOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
