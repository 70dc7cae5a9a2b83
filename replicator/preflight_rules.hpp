#pragma once

#include "replicator/preflight.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The groups of rules that preflight() is made of, and the words they share. Each rule adds what
// it finds to `problems`.

namespace pgchronicle::replicator {

/// A name as messages show it: "name".
[[nodiscard]] std::string shown(std::string_view name);
[[nodiscard]] std::string shown(std::string_view schema, std::string_view name);

/// "a", "b" and 3 more: long lists are for the SQL, not for reading.
[[nodiscard]] std::string shown_list(const std::vector<std::string>& items);

/// a, b, c: all of them, for SQL.
[[nodiscard]] std::string joined(const std::vector<std::string>& items);

/// "1 table", "2 tables".
[[nodiscard]] std::string counted(std::size_t count, std::string_view noun);

/// What an operator may run to drop a slot.
[[nodiscard]] std::string sql_to_drop(const std::string& slot);

/// The oldest server that is supported, on either side.
inline constexpr int server_version_min = 140000;

/// preflight_connect.cpp: a side that could not be reached, or not asked.
void judge_failure(Side side, const Failure& failure, const Peer& peer, std::vector<Problem>&);
/// The same file: a network that nothing protects.
void judge_transport(Side side, const Peer& peer, std::vector<Problem>&);

/// preflight_source.cpp: server, role, slot, capacity.
void judge_server(const Facts& facts, std::vector<Problem>& problems);
void judge_slot(const Facts& facts, std::vector<Problem>& problems);

/// preflight_publication.cpp: publications, and which tables are in them.
void judge_publications(const Facts& facts, std::vector<Problem>& problems);
void judge_selection(const Facts& facts, std::vector<Problem>& problems);

/// preflight_tables.cpp: each table that is kept, for itself.
void judge_tables(const Facts& facts, std::vector<Problem>& problems);

/// preflight_kept.cpp: slots of bookmarks and replays, and the window before the pipeline's own.
void judge_kept_slots(const Facts& facts, std::vector<Problem>& problems);
/// The replay of the pipeline itself that is under way, or nothing.
[[nodiscard]] const history_writer::KeptSlot* replay_under_way(const Facts& facts);

/// preflight_functions.cpp: what on_change names.
void judge_change_functions(const TargetFacts& target, std::vector<Problem>& problems);

/// preflight_target.cpp: server, rights, names, checkpoint.
void judge_target(const Facts& facts, std::vector<Problem>& problems);

}  // namespace pgchronicle::replicator
