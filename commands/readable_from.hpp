#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <span>
#include <string>

namespace pgchronicle::commands {

/// Where in the WAL to look: `from` cannot be read from, `upto` can.
struct UnreadableRange {
    pgoutput::Lsn from;
    pgoutput::Lsn upto;
};

/// Two sessions on the source: an error drops the temporary slots of the session that meets it, so
/// that those that are still needed belong to the other one.
struct Sessions {
    pq::Connection& keeper;
    pq::Connection& prober;
};

/// The smallest LSN in `range`, at the end of a record, from which `slot` can be read for these
/// publications, found by bisection with temporary copies of the slot; the slot itself stays where
/// it is. Needs three free replication slots. Throws pq::Error.
[[nodiscard]] pgoutput::Lsn readable_from(
    Sessions sessions,
    const std::string& slot,
    std::span<const std::string> publications,
    UnreadableRange range
);

/// Whether `slot` could be read if it stood at `position`.
[[nodiscard]] bool is_readable_from(
    pq::Connection& source,
    const std::string& slot,
    std::span<const std::string> publications,
    pgoutput::Lsn position
);

/// Moves a slot to `position`; it may not be behind where it is.
void advance_slot(pq::Connection& source, const std::string& slot, pgoutput::Lsn position);

}  // namespace pgchronicle::commands
