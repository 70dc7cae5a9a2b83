#pragma once

#include "history_writer/kept_slot.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>
#include <vector>

// pgchronicle.bookmark: LSNs that are kept replayable, each by a slot of its own on the source.

namespace pgchronicle::history_writer::pg {

/// A place to which the history can go back.
struct ReplayPoint {
    pgoutput::Lsn position;
    pgoutput::Lsn last_commit_end;
    std::string
        last_commit_time;  ///< The clamp as it was then, as text; empty when there was none.
};

struct Bookmark {
    std::string name;
    std::string slot;
    std::optional<ReplayPoint> point;  ///< Nothing: begun, and not finished.
    std::string created_at;            ///< ISO 8601
};

/// In the order in which they were made.
[[nodiscard]] std::vector<Bookmark>
read_bookmarks(pq::Connection& target, const std::string& pipeline);

/// Notes that a bookmark is being made with this slot, before there is one; on disk on return.
/// False when there is a bookmark of that name.
[[nodiscard]] bool announce_bookmark(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& name,
    const std::string& slot
);

/// It stands where the checkpoint does now; on disk on return, as is that checkpoint.
[[nodiscard]] ReplayPoint
finish_bookmark(pq::Connection& target, const std::string& pipeline, const std::string& name);

/// Every slot that any pipeline of this target has made beside its own: of bookmarks, and of
/// replays that are under way. None where the metadata is older than they are.
[[nodiscard]] std::vector<KeptSlot> read_kept_slots(pq::Connection& target);

/// Removes the row, within the transaction that is open or in one of its own.
void delete_bookmark(pq::Connection& target, const std::string& pipeline, const std::string& name);

}  // namespace pgchronicle::history_writer::pg
