#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/table_failure.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>
#include <vector>

// pgchronicle.quarantine: tables that are left behind. Source: docs/history_model.md, "Quarantine".

namespace pgchronicle::history_writer::pg {

struct Quarantine {
    std::string source_schema;
    std::string source_table;
    pgoutput::RelationId relation{};
    pgoutput::Lsn from;    ///< Up to here its history is complete.
    bool released{false};  ///< To be compared with the source, which ends it.

    /// schema.table on the source.
    [[nodiscard]] std::string name() const { return source_schema + "." + source_table; }
};

[[nodiscard]] std::vector<Quarantine>
read_quarantines(pq::Connection& target, const std::string& pipeline);

/// Whether the schema of the table's history is there, and ours to use. Else nothing that fails in
/// it is the fault of one table.
[[nodiscard]] bool schema_is_usable(pq::Connection& target, const TableFailure::Table& table);

/// Puts the table of `failure` into quarantine from the checkpoint's position on, and opens a gap;
/// on disk on return. One that was released is in quarantine again, with another gap. Returns the
/// position.
pgoutput::Lsn
quarantine(pq::Connection& target, const std::string& pipeline, const TableFailure& failure);

/// Lets the next start compare the table `name` (schema.table) with the source. Within the caller's
/// transaction. Returns where it was left behind; nothing when no such table is in quarantine.
[[nodiscard]] std::optional<pgoutput::Lsn>
release(pq::Connection& target, const std::string& pipeline, const std::string& name);

/// The history of `table` equals the source from `seam` on: ends its quarantine, if there is one,
/// and its gaps. Within the caller's transaction, or one of its own.
void end_quarantine(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    pgoutput::Lsn seam
);

/// The table is gone from the source: there is nothing left to skip, and what was skipped stays
/// unknown. Its gaps end at the checkpoint's position and are not repaired.
void forget_quarantine(
    pq::Connection& target,
    const std::string& pipeline,
    const Quarantine& quarantine
);

}  // namespace pgchronicle::history_writer::pg
