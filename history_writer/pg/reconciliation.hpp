#pragma once

#include "config/settings.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <string>

// What the target remembers of a slot that was lost: the gap, the audit row, and which tables are
// still to be compared with the source.

namespace pgchronicle::history_writer::pg {

/// Reason of the gap in pgchronicle.gap.
inline constexpr const char* slot_lost_reason = "slot_lost";

/// A slot that could not be read any more.
struct LostSlot {
    std::string slot;
    std::string why;     ///< `replication slot "s" does not exist`
    pgoutput::Lsn from;  ///< The checkpoint's position: up to there nothing is missing.
};

/// The slot is there again and reads on from `to`, behind the checkpoint. Moves the checkpoint
/// there, records a gap of all tables and an audit row, and marks every table for comparison: in
/// one transaction that is on disk on return. What is not there yet when the process dies before,
/// the next start does.
/// Throws pq::Error; CheckpointMismatch when the checkpoint is not at `lost.from` any more.
void begin_reconciliation(
    pq::Connection& target,
    const config::Settings& settings,
    const LostSlot& lost,
    pgoutput::Lsn to
);

/// The slot was made again as a copy of slot `copy_of`, which reaches back: nothing is missing. The
/// audit row, on disk on return.
void note_restored_slot(
    pq::Connection& target,
    const std::string& pipeline,
    const LostSlot& lost,
    const std::string& copy_of
);

/// The table was compared at `seam`, in the transaction that is open: gaps of lost slots that it
/// was not compared since reach up to there.
void extend_lost_gaps(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    pgoutput::Lsn seam
);

}  // namespace pgchronicle::history_writer::pg
