#pragma once

#include "history_writer/table_failure.hpp"
#include "pq/error.hpp"

#include <string>
#include <utility>

namespace pgchronicle::history_writer::pg {

/// Whether an error that the target gave while one table was written is about that table. Not what
/// passes by itself, and not what ended the connection.
[[nodiscard]] bool is_of_table(const pq::Error& error);

/// The server's hint; of a constraint, whose own words do not say whose it is, that none is ours.
[[nodiscard]] std::string hint_of(const pq::Error& error);

/// The error as a failure of `table`, which servers do not always name. `doing`: "written".
[[nodiscard]] TableFailure
failure_of(const HistoryTable& table, const char* doing, const pq::Error& error);

/// Runs what concerns `table` alone in the target, so that its error says so: what halts is thrown
/// as TableFailure, everything else as it is.
template <typename Act>
decltype(auto) for_table(const HistoryTable& table, const char* doing, Act&& act) {
    try {
        return std::forward<Act>(act)();
    } catch (const pq::Error& error) {
        if (!is_of_table(error)) throw;
        throw failure_of(table, doing, error);
    }
}

}  // namespace pgchronicle::history_writer::pg
