#pragma once

#include "pq/connection.hpp"
#include "reading/history_table.hpp"
#include "reading/rows.hpp"

#include <cstdint>
#include <string>

namespace pgchronicle::http {

/// Keys that the history has ever seen whose text begins with `prefix`, in the order of the key, at
/// most so many. The text of a key of several columns is theirs, joined with commas. Throws
/// reading::Error (bad_request) for a table without key.
[[nodiscard]] reading::Rows find_keys(
    pq::Connection& target,
    const reading::HistoryTable& table,
    const std::string& prefix,
    std::uint64_t count_max,
    const reading::Limit& limit
);

}  // namespace pgchronicle::http
