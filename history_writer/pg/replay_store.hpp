#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>

// pgchronicle.replay: the mark that a replay is under way.

namespace pgchronicle::history_writer::pg {

struct Replay {
    std::string slot;                   ///< Its own, on the source.
    std::optional<pgoutput::Lsn> from;  ///< Nothing: the history was not set back yet.
    pgoutput::Lsn until;                ///< Up to where the history reached before.
};

[[nodiscard]] std::optional<Replay>
read_replay(pq::Connection& target, const std::string& pipeline);

/// Notes, before there is one, which slot a replay is going to use; on disk on return. Of one that
/// is under way only the slot changes.
void announce_replay(pq::Connection& target, const std::string& pipeline, const std::string& slot);

/// Removes the mark, within the transaction that is open.
void clear_replay(pq::Connection& target, const std::string& pipeline);
/// The replay is over, or has never begun; on disk on return.
void forget_replay(pq::Connection& target, const std::string& pipeline);

}  // namespace pgchronicle::history_writer::pg
