#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/history_table.hpp"
#include "history_writer/shape_change.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// A history table that is there but is not what it must be: an operator's decision.
class TargetMismatch : public std::runtime_error {
public:
    TargetMismatch(std::string primary, std::string detail, std::string hint)
        : std::runtime_error{std::move(primary)},
          detail_{std::move(detail)},
          hint_{std::move(hint)} {}
    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    std::string detail_;
    std::string hint_;
};

/// Names of the row key's columns in the history table, in key order.
[[nodiscard]] std::vector<std::string> key_names(const HistoryTable& table);

/// Makes the history table, or what is missing of it: schema, table, columns that the source has
/// gained, readers. Columns whose type has become wider are altered. One transaction, or part of
/// the one that is open.
/// Throws TargetMismatch when somebody else owns it, a column has another type, or the row key has
/// changed.
void ensure_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table
);

/// The index that finds a key's versions.
void ensure_index(pq::Connection& target, const HistoryTable& table);

/// Lets the history follow its source's new shape. What the source gave old rows without writing
/// WAL, the open versions receive in place.
void follow_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    const ShapeChange& change
);

/// Ends every open version, with a tombstone each: what they were versions of is gone.
void end_versions(
    pq::Connection& target,
    const TargetName& table,
    const config::HistoryColumnNames& names,
    Operation operation,
    pgoutput::Lsn lsn,
    pgoutput::PgTimestamp time
);

/// The shape recorded last; empty when none was.
[[nodiscard]] std::vector<ShapeColumn>
last_shape(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation);

/// Whether the shape recorded last is this one: columns, types, row key and replica identity.
[[nodiscard]] bool shape_unchanged(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table
);

/// Records the shape, if it differs from the last one recorded.
void record_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    pgoutput::Lsn lsn
);

}  // namespace pgchronicle::history_writer::pg
