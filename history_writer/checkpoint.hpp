#pragma once

#include "pgoutput/lsn.hpp"
#include "pgoutput/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::history_writer {

/// Which stream a checkpoint belongs to.
struct SourceIdentity {
    std::string system_identifier;
    std::uint32_t timeline{0};
    std::string database;
    std::string slot;
    std::vector<std::string> publications;

    friend bool operator==(const SourceIdentity&, const SourceIdentity&) = default;
};

/// Up to where the history is complete. Written in the same transaction as the rows.
struct Checkpoint {
    SourceIdentity source;
    pgoutput::Lsn slot_start;  ///< Where the slot stood at the first run.
    /// Recorded time of the first transaction after it, once there was one.
    std::optional<pgoutput::PgTimestamp> slot_start_time;
    pgoutput::Lsn last_commit_end;  ///< End of the last source transaction stored.
    pgoutput::Lsn position;         ///< At or after it; what may be acknowledged.
    std::optional<pgoutput::PgTimestamp> last_commit_time;  ///< The clamp.
};

}  // namespace pgchronicle::history_writer
