#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <string>
#include <vector>

// pgchronicle.table_state: which relation each name stands for, and how far its history is.

namespace pgchronicle::history_writer::pg {

/// Why the rows of a table are to be compared with the source once more.
enum class CompareAs : std::uint8_t {
    nothing,
    reconcile,  ///< Changes may have been missed: it was not published for a while.
    rewrite,    ///< The source wrote it anew, which logical decoding does not show.
};

struct TableState {
    std::string source_schema;
    std::string source_table;
    pgoutput::RelationId relation{};
    std::string target_schema;
    std::string target_table;
    std::vector<std::string> row_key;  ///< Columns of the history table.
    bool copied{false};                ///< Else its rows are still to be copied.
    bool ended{false};                 ///< The name stands for no table any more.
    CompareAs compare_as{CompareAs::nothing};
    pgoutput::Lsn begins_at;
    std::string membership;
    std::uint32_t source_file{0};  ///< 0: to be learnt.
    bool imported{false};          ///< Its rows come from files, and from no relation.
};

/// All tables that the pipeline has ever followed.
[[nodiscard]] std::vector<TableState>
read_states(pq::Connection& target, const std::string& pipeline);

/// Tables of the pipeline whose rows come from files.
[[nodiscard]] std::vector<TableState>
read_imported_states(pq::Connection& target, const std::string& pipeline);

/// The name begins to stand for this relation at `begins_at`. With `copied`, everything is known
/// since then; else its rows are to be copied first.
void begin_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    pgoutput::Lsn begins_at,
    bool copied
);

/// The name stands for no table any more.
void end_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& source_schema,
    const std::string& source_table
);

/// Its rows are to be compared. A table that is not copied yet needs no comparison.
void mark_for_comparison(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    CompareAs compare_as
);

/// There is nothing left to compare it with.
void forget_comparison(
    pq::Connection& target,
    const std::string& pipeline,
    const TableState& state
);

/// The name stands for another relation from now on, whose rows are to be compared with its
/// history.
void succeed_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
);

/// Remembers how the source publishes the table and where it stores it.
void note_source(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
);
void note_file(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
);

/// The configuration leaves the table out: should it come back, it will have missed changes.
void note_unfollowed(pq::Connection& target, const std::string& pipeline, const TableState& state);

/// Throws TargetMismatch when the configuration sends the table elsewhere than before.
void require_same_target(const TableState& state, const HistoryTable& table);

/// A gap of this table, from the checkpoint's position on; the comparison ends it.
void open_gap(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    const std::string& reason,
    const std::string& detail
);

/// Whether any history table of the pipeline holds a row.
[[nodiscard]] bool history_empty(pq::Connection& target, const std::string& pipeline);

}  // namespace pgchronicle::history_writer::pg
