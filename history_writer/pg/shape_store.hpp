#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/shape_change.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/relation.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// pgchronicle.relation_shape: each shape that a source table has had.

namespace pgchronicle::history_writer::pg {

/// The shape recorded last; empty when none was.
[[nodiscard]] std::vector<ShapeColumn>
last_shape(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation);

/// The highest number that a column had in any shape of the relation; 0 when none is known.
[[nodiscard]] std::int16_t
highest_number(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation);

/// Of the names in the history that `columns` have: those that other columns had, in any shape of
/// the relation. Columns without a number are passed over.
[[nodiscard]] std::set<std::string> names_of_others(
    pq::Connection& target,
    const std::string& pipeline,
    pgoutput::RelationId relation,
    const std::vector<ShapeColumn>& columns
);

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

/// A column of a shape that a replay meets again.
struct RecordedColumn {
    std::string name;
    std::int16_t number{0};
    std::string type_sql;
    std::string history_name;             ///< In the history table; empty when excluded.
    std::optional<std::string> filled{};  ///< What old rows had without WAL.
};

/// The shape that `relation` had in the transaction that ended at `lsn`, as it was recorded when
/// that came for the first time; empty when it was not. While a replay is under way.
[[nodiscard]] std::vector<RecordedColumn> shape_then(
    pq::Connection& target,
    const std::string& pipeline,
    const pgoutput::Relation& relation,
    pgoutput::Lsn lsn
);

}  // namespace pgchronicle::history_writer::pg
