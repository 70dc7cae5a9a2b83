#pragma once

#include "history_writer/history_table.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// What somebody else has put on the tables that we write: triggers, rules, policies, constraints.

namespace pgchronicle::history_writer::pg {

struct Interference {
    TargetName table;
    std::string what;  ///< trigger "t" on table "s.h" is not pgchronicle's
    std::string why;   ///< What it can do, a sentence.
    std::string mending_sql;
    /// It can change, hide or drop versions without an error. Else it can only refuse them.
    bool silent{true};
};

/// Everything of that kind on `tables`, their partitions and pgchronicle's own tables that is in
/// force for this connection; mostly nothing. One query. What it finds within a transaction that
/// has written a table was there when it was written: nobody can add or remove it meanwhile.
[[nodiscard]] std::vector<Interference>
find_interference(pq::Connection& target, const std::vector<TargetName>& tables);

/// Throws TableFailure where something silent is found on one of `tables`, and TargetMismatch where
/// it is on pgchronicle's own.
void require_untouched(
    pq::Connection& target,
    const std::vector<std::shared_ptr<const HistoryTable>>& tables
);
void require_untouched(pq::Connection& target, const HistoryTable& table);

/// The same for a history that nobody writes any more: throws TargetMismatch.
void require_untouched(pq::Connection& target, const TargetName& table);

/// The same for each commit, at next to no cost: a statement that fails with division_by_zero. Its
/// parameter is a text array of qualified names. It leaves out partitions, what acts on other
/// occasions than our writes, and pgchronicle's own tables.
[[nodiscard]] std::string untouched_sql();

/// Every statement that stores versions says how many. Throws TableFailure where they are not as
/// many as were written, with what explains it, if that is found.
void require_stored(
    pq::Connection& target,
    const HistoryTable& table,
    std::uint64_t written,
    std::uint64_t stored
);

}  // namespace pgchronicle::history_writer::pg
