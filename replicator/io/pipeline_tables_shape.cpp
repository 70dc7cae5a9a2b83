#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/in_transaction.hpp"
#include "history_writer/pg/shape_store.hpp"
#include "replicator/io/pipeline_tables.hpp"
#include "source_catalog/catalog.hpp"
#include "source_catalog/visible.hpp"

#include <algorithm>
#include <chrono>

// Shapes: what a relation of the stream looks like, and how its history follows.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using history_writer::SourceTransaction;
using pg::CompareAs;
using source_catalog::Column;
using source_catalog::Table;

namespace {

constexpr std::chrono::milliseconds visible_patience_max{5'000};

}  // namespace

void PipelineTables::see(pgoutput::Xid xid) {
    if (replaying_ || xid == seen_) return;
    seen_ = xid;
    // Asking longer than that, the session would take the source for lost.
    const auto patience = std::min(visible_patience_max, settings_.source.receive_timeout / 2);
    if (source_catalog::wait_until_visible(source_, xid, patience)) return;
    // So a commit that waits for a synchronous standby stays. What the catalog does not show of it
    // is taken from the stream.
    log_.warn("commit_not_visible", {{"xid", static_cast<std::uint32_t>(xid)}});
}

bool PipelineTables::same_columns(const pgoutput::Relation& relation) {
    // In a replay only the record tells: see describe().
    const auto found = entries_.find(relation.id);
    if (replaying_ || found == entries_.end()) return false;
    const auto now = source_catalog::read_column_numbers(source_, relation.id);
    const auto& entry = found->second;
    auto table = entry.source;
    for (auto& column : table.columns) {
        const auto it = now.find(column.name);
        if (column.number != 0 && it != now.end()) column.number = it->second;
    }
    history_writer::undo_later_renames(
        table, history_writer::shape_of(entry.source, *entry.table), now
    );
    return std::ranges::equal(
        table.columns, entry.source.columns, {}, &Column::number, &Column::number
    );
}

Table PipelineTables::describe(
    const pgoutput::Relation& relation,
    const SourceTransaction& at,
    bool& gone
) {
    // The stream may lag behind the catalog: what the relation says counts, and the catalog adds
    // what it does not say.
    const auto now =
        source_catalog::read_table(source_, relation.id, settings_.source.publications);
    gone = !now;
    const auto before = entries_.find(relation.id);
    Table table = now ? *now : before != entries_.end() ? before->second.source : Table{};
    const auto shape = pg::last_shape(target_, settings_.pipeline, relation.id);
    // In a replay the catalog is far ahead, and what it was is on record.
    const auto then = shape_then(relation, at);
    std::vector<Column> columns;
    for (const auto& column : relation.columns) {
        const auto same = [&](const auto& c) {
            return c.name == column.name && c.type == column.type &&
                   c.type_modifier == column.type_modifier;
        };
        const auto found = std::ranges::find_if(table.columns, same);
        if (found != table.columns.end()) {
            columns.push_back(*found);
            continue;
        }
        const auto* const recorded = then.empty() ? nullptr : &then[columns.size()];
        columns.push_back(described(relation, column, recorded));
    }
    table.id = relation.id;
    table.schema_name = relation.schema_name;
    table.name = relation.name;
    table.replica_identity = relation.replica_identity;
    history_writer::ColumnNumbers numbers;
    for (const auto& column : table.columns) numbers.emplace(column.name, column.number);
    table.columns = std::move(columns);
    history_writer::undo_later_renames(table, shape, numbers);
    recall(table, then);
    history_writer::infer_numbers(table, shape);
    if (now || before != entries_.end()) return table;

    // Dropped since. Its key is the recorded one, or what the relation says of it.
    const auto* const state = state_of(table);
    const bool recorded = state != nullptr && state->relation == relation.id;
    auto& key = table.replica_identity == pgoutput::ReplicaIdentity::index ? table.identity_index
                                                                           : table.primary_key;
    key.clear();
    if (recorded) {
        for (const auto& name : state->row_key) {
            const auto column =
                std::ranges::find(shape, name, &history_writer::ShapeColumn::history_name);
            if (column != shape.end()) key.push_back(column->name);
        }
    } else if (table.replica_identity != pgoutput::ReplicaIdentity::full) {
        for (const auto& column : relation.columns) {
            if (column.in_identity) key.push_back(column.name);
        }
    }
    return table;
}

void PipelineTables::follow(
    const Table& source,
    const HistoryTable& table,
    const SourceTransaction& at
) {
    const auto change = history_writer::compare_shapes(
        pg::last_shape(target_, settings_.pipeline, source.id), source, table
    );
    // A replay is of what needed no comparison.
    const bool compares = !replaying_ && settings_.snapshot != config::Snapshot::never;
    // Together: who reads the history beside us sees a column's name with the record of it.
    pg::in_transaction(target_, [&] {
        const auto former = compares ? names_taken(source, table, change) : std::set<std::string>{};
        bool kept = false;
        pg::for_table(table, "followed", [&] {
            kept = pg::follow_shape(target_, settings_.pipeline, source, table, change, former);
        });
        tell_changes(source, change, at);
        if (compares && may_be_rewritten(source, change, kept)) {
            pg::mark_for_comparison(target_, settings_.pipeline, table, CompareAs::rewrite);
            pg::note_file(target_, settings_.pipeline, source);
            read_states();
        }
        pg::record_shape(target_, settings_.pipeline, source, table, at.end_lsn);
    });
}

std::set<std::string> PipelineTables::names_taken(
    const Table& source,
    const HistoryTable& table,
    const history_writer::ShapeChange& change
) {
    const auto shape = history_writer::shape_of(source, table);
    std::vector<history_writer::ShapeColumn> columns;
    for (const auto i : change.gained) columns.push_back(shape[i]);
    for (const auto& rename : change.renamed) {
        const auto column =
            std::ranges::find(shape, rename.to, &history_writer::ShapeColumn::history_name);
        if (column != shape.end()) columns.push_back(*column);
    }
    if (columns.empty()) return {};
    return pg::names_of_others(target_, settings_.pipeline, source.id, columns);
}

void PipelineTables::tell_changes(
    const Table& source,
    const history_writer::ShapeChange& change,
    const SourceTransaction& at
) {
    const auto tell = [&](const char* event, const std::string& column) {
        log_.info(
            event,
            {{"table", qualified(source)}, {"column", column}, {"lsn", to_string(at.end_lsn)}}
        );
    };
    for (const auto i : change.gained) tell("column_added", source.columns[i].name);
    for (const auto i : change.retyped) tell("column_retyped", source.columns[i].name);
    for (const auto& rename : change.renamed)
        tell("column_renamed", rename.from + " to " + rename.to);
    for (const auto& name : change.lost) tell("column_dropped", name);
}

bool PipelineTables::may_be_rewritten(
    const Table& source,
    const history_writer::ShapeChange& change,
    bool kept
) {
    const auto may_be_later = [&] {
        return history_writer::may_be_later(
            change, source, pg::highest_number(target_, settings_.pipeline, source.id)
        );
    };
    if (kept || (!change.gained.empty() && may_be_later())) {
        // Open versions have the values of a column that is gone, or, where the catalog is ahead of
        // the stream, rows that are still to come may. Only the source's rows tell what is true in
        // the end.
        log_.warn(
            "column_made_anew",
            {{"table", qualified(source)}, {"action", "compare with the source"}}
        );
        return true;
    }
    const auto is_volatile = [&](auto i) { return source.columns[i].volatile_default; };
    if (std::ranges::any_of(change.gained, is_volatile)) return true;
    // Of a modifier that grew, no row was written anew; the file tells of the others.
    return !change.retyped.empty() && source.file != 0 &&
           state_of(source)->source_file != source.file;
}

}  // namespace pgchronicle::replicator::io
