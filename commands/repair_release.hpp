#pragma once

#include "config/settings.hpp"

#include <iosfwd>
#include <string>

namespace pgchronicle::commands {

struct RepairReleaseOptions {
    std::string table;   ///< schema.table of the source.
    std::string reason;  ///< What the audit row says; may not be empty.
};

/// Ends the quarantine of a table: at the next start it is compared with the source, differences
/// become RECONCILE versions at a new seam, and from there on it is followed again. Returns the
/// exit code; throws pq::Error.
int repair_release(
    const config::Settings& settings,
    const RepairReleaseOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
