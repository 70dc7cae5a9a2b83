#pragma once

#include "commands/refusal.hpp"
#include "config/settings.hpp"
#include "history_writer/checkpoint.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/rewind.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pgchronicle::commands {

/// From where a replay streams, and from which slot a copy is made for it.
struct ReplayPlan {
    history_writer::pg::ReplayPoint from;
    std::string slot;
};

struct ReplaySides {
    pq::Connection& source;
    pq::Connection& target;
};

/// Makes `slot`, which may be there already, a copy of the plan's slot that stands where the replay
/// begins, and tries whether it can be read up to `until`. Throws pq::Error.
[[nodiscard]] std::optional<Refusal> make_replay_slot(
    pq::Connection& source,
    const config::Settings& settings,
    const ReplayPlan& plan,
    const std::string& slot,
    pgoutput::Lsn until
);

/// The slot of the replay that is noted for `pipeline`. Without one `fresh` is noted, so that a
/// slot is never there that nobody knows of.
[[nodiscard]] std::string
note_replay_slot(pq::Connection& target, const std::string& pipeline, const std::string& fresh);

/// After an error: drops the slot that is noted for `pipeline`, and the note, unless the history
/// was set back before. Where it cannot, the next start finds both.
void clear_away(ReplaySides sides, const std::string& pipeline);

[[nodiscard]] Refusal cannot_set_back(const history_writer::pg::CannotRewind& error);

/// Names the tables that the configuration excludes, and says what becomes of their history.
void tell_left_alone(
    pq::Connection& target,
    const config::Settings& settings,
    std::string_view fate,
    std::ostream& out
);

/// What `--from` means: a bookmark's name, or an LSN. An LSN is rounded down to the last position
/// at which the recorded times are known: the end of a transaction that left versions, or a
/// bookmark. Refuses what cannot be replayed, and says what can. Throws pq::Error.
[[nodiscard]] std::variant<ReplayPlan, Refusal> plan_replay(
    ReplaySides sides,
    const config::Settings& settings,
    const history_writer::Checkpoint& checkpoint,
    const std::string& from
);

}  // namespace pgchronicle::commands
