#pragma once

#include "pq/connection.hpp"
#include "reading/history_table.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace pgchronicle::http {

/// How many versions a history has, and how many of them are open.
struct TableSize {
    std::optional<std::int64_t> rows;
    std::optional<std::int64_t> versions;
};

/// One for each table, in order: counted where the table is small, else as the target's statistics
/// estimate; no value where these do not know, or the history is not there yet.
[[nodiscard]] std::vector<TableSize>
read_table_sizes(pq::Connection& target, const std::vector<reading::HistoryTable>& tables);

}  // namespace pgchronicle::http
