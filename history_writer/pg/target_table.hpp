#pragma once

#include "history_writer/history_table.hpp"
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

/// What pgchronicle.table_state says of one table.
struct TableState {
    bool known{false};
    bool copied{false};
    pgoutput::RelationId relation{};
};
[[nodiscard]] TableState
read_table_state(pq::Connection& target, const std::string& pipeline, const HistoryTable& table);

/// How a table that is not known yet begins.
struct FirstState {
    bool copied{false};             ///< False: pending, its rows are still to be copied.
    pgoutput::Lsn consistent_from;  ///< With `copied`: since when everything is known.
};

/// Makes the history table, or what is missing of it: schema, table, columns that the source has
/// gained, index (not before the first copy of an empty table), readers, and its row in
/// table_state. One transaction, or part of the one that is open.
/// Throws TargetMismatch when a column has another type, or the row key has changed.
void ensure_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    const FirstState& first
);

/// Sets open versions' new column to the constant that ADD COLUMN ... DEFAULT gave the source's
/// rows without writing WAL. `value` is the default's text form.
void fill_constant_default(
    pq::Connection& target,
    const HistoryTable& table,
    const std::string& column,
    const std::string& value
);

/// Column names of the shape recorded last, in order; empty when none was.
[[nodiscard]] std::vector<std::string>
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

/// Whether any history table of the pipeline holds a row.
[[nodiscard]] bool history_empty(pq::Connection& target, const std::string& pipeline);

}  // namespace pgchronicle::history_writer::pg
