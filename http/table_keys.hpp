#pragma once

#include "pq/connection.hpp"
#include "reading/history_table.hpp"
#include "reading/rows.hpp"

#include <cstdint>
#include <string>

namespace pgchronicle::http {

/// Keys that the history has ever seen whose text begins with `prefix`, in the order of the key, at
/// most so many. The text of a key of several columns is theirs, joined with commas. Somebody types
/// it, so that it is looked for where an index on the key has it, and not in all of a history: of
/// each of the prefix's key_ranges the first 10,000 keys are looked at. What is missed is a text
/// that its collation sorts farther than that from the prefix, and keys of types without an order
/// of their text, as dates, beyond the first. Keys too wide for an index have none that has an
/// order: there the statement's timeout is the bound. Throws reading::Error (bad_request) for a
/// table without key.
[[nodiscard]] reading::Rows find_keys(
    pq::Connection& target,
    const reading::HistoryTable& table,
    const std::string& prefix,
    std::uint64_t count_max,
    const reading::Limit& limit
);

}  // namespace pgchronicle::http
