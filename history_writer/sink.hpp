#pragma once

#include "history_writer/change_batch.hpp"
#include "pgoutput/lsn.hpp"

namespace pgchronicle::history_writer {

/// Up to where the target has what it was given.
struct Stored {
    /// The checkpoint's position as committed: readers of the target see it.
    pgoutput::Lsn committed;
    /// The part of it that is on the target's disk: what may be acknowledged. Never after
    /// `committed`; never moves back.
    pgoutput::Lsn flushed;
};

/// Where batches go.
///
/// `write` stores the batch's rows and its checkpoint in one transaction, after all earlier
/// batches; a batch that `continues` leaves the transaction open for the next one. When it throws,
/// nothing of the open transaction is stored, except after a lost connection, when only the stored
/// checkpoint tells: read it again before going on.
class Sink {
public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;

    /// Settles in place what only the target can tell.
    virtual Stored write(ChangeBatch& batch) = 0;
    /// How far the target's disk has come; moves `flushed` without writing anything.
    virtual Stored poll_flushed() = 0;
    /// Makes everything committed reach the disk now; for the end of a session.
    virtual Stored flush() = 0;
};

}  // namespace pgchronicle::history_writer
