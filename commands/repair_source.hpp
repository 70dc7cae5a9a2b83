#pragma once

#include "config/settings.hpp"

#include <iosfwd>
#include <string>

namespace pgchronicle::commands {

/// Takes over a source that has another identity than the checkpoint's: after pg_upgrade, a
/// failover or a planned move. The checkpoint's identity changes, with an audit row; whether slot
/// and checkpoint fit, the next start looks. A promoted standby that left the history's timeline
/// before the history's last transaction is refused. Returns the exit code; throws pq::Error.
int repair_accept_source(
    const config::Settings& settings,
    const std::string& reason,
    std::ostream& out,
    std::ostream& err
);

struct RepairReseedOptions {
    std::string table;   ///< schema.table of the source.
    std::string reason;  ///< What the audit row says; may not be empty.
};

/// Has the rows of a table compared with the source at the next start: differences become
/// RECONCILE versions at a new seam. Returns the exit code; throws pq::Error.
int repair_reseed(
    const config::Settings& settings,
    const RepairReseedOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
