#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/table_failure.hpp"
#include "replicator/io/pipeline_tables.hpp"
#include "replicator/stream_error.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

// What the source's catalog says now, held against what it said before: what the stream does not
// show.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using history_writer::TableFailure;
using pg::CompareAs;
using source_catalog::Table;

bool PipelineTables::rewritten(const Table& table, const TableState& state) {
    if (state.source_file == 0 || state.source_file == table.file) {
        other_file_seen_.erase(table.id);
        return false;
    }
    const auto [seen, first] = other_file_seen_.try_emplace(table.id);
    if (first) seen->second = source_catalog::read_server(source_).flush_lsn;
    // By then, a TRUNCATE would have come and said that the file is to be learnt again.
    const auto checkpoint = pg::read_checkpoint(target_, settings_.pipeline);
    return checkpoint && checkpoint->position >= seen->second;
}

void PipelineTables::compare_with_catalog(const std::vector<Table>& published) {
    for (const auto& table : published) {
        const auto* const state = state_of(table);
        if (state == nullptr || state->ended || state->relation != table.id || !state->copied)
            continue;
        if (quarantine_of(table.id) != nullptr) continue;  // It is to be compared anyway.
        const bool missed = state->membership != table.membership;
        const bool written_anew = rewritten(table, *state);
        if (!missed && !written_anew && state->source_file != 0) continue;
        const auto planned = plan(table);
        if (missed) {
            pg::open_gap(
                target_,
                settings_.pipeline,
                planned,
                "not_published",
                "It was not published all the time, or with another filter or column list."
            );
        }
        if ((missed || written_anew) && settings_.snapshot != config::Snapshot::never) {
            const auto compare_as = missed ? CompareAs::reconcile : CompareAs::rewrite;
            pg::mark_for_comparison(target_, settings_.pipeline, planned, compare_as);
            log_.warn(
                missed ? "table_published_differently" : "table_rewritten",
                {{"table", qualified(table)}, {"action", "compare with the source"}}
            );
        }
        pg::note_source(target_, settings_.pipeline, table);
    }
    read_states();
    for (const auto& table : published) {
        const auto found = entries_.find(table.id);
        if (found == entries_.end()) {
            copy_due_ = true;  // Published since.
            continue;
        }
        auto& entry = found->second;
        const auto* const state = state_of(table);
        const bool was_due = due(entry);
        const bool its_name = state != nullptr && state->relation == table.id && !state->ended;
        if (was_due || !its_name || state->compare_as == CompareAs::nothing) continue;
        const bool stale = entry.stale;
        entry = entry_of(entry.source, *entry.table);
        entry.stale = stale;
        copy_due_ = true;
    }
}

void PipelineTables::find_withdrawn(const std::vector<Table>& published) {
    for (const auto& state : states_) {
        if (state.ended || left_behind(state.relation)) continue;
        const auto name = state.source_schema + "." + state.source_table;
        const auto is_it = [&](const Table& table) { return table.id == state.relation; };
        if (std::ranges::any_of(published, is_it)) continue;
        if (!history_writer::wanted(state.source_schema, state.source_table, settings_)) {
            // Should the configuration want it again, it has missed something.
            pg::note_unfollowed(target_, settings_.pipeline, state);
            continue;
        }
        const auto now =
            source_catalog::read_table(source_, state.relation, settings_.source.publications);
        if (!now) {
            if (!reported_dropped_.insert(state.relation).second) continue;
            log_.warn("table_dropped", {{"table", name}});
            continue;
        }
        // Renamed into something that the configuration does not want, or a partition.
        if (qualified(*now) != name || now->through_ancestor) continue;
        throw TableFailure{
            TableFailure::Table{
                state.relation, state.source_schema, state.source_table, state.target_schema},
            "table \"" + name + "\" is not published any more",
            "Its history would go on without its changes.",
            "Add it to the publication again, and it is compared with the source; or put it into "
            "tables.exclude."};
    }
}

void PipelineTables::forget_comparisons_without(const std::vector<Table>& published) {
    for (const auto& state : states_) {
        if (state.ended || state.compare_as == CompareAs::nothing) continue;
        const auto is_it = [&](const Table& table) { return table.id == state.relation; };
        if (std::ranges::any_of(published, is_it)) continue;
        // Dropped, or a partition now. All that it had to say has been streamed.
        pg::forget_comparison(target_, settings_.pipeline, state);
    }
    read_states();
}

void PipelineTables::recheck() {
    check_history_tables();
    const auto publications =
        source_catalog::read_publications(source_, settings_.source.publications);
    for (const auto& name : settings_.source.publications) {
        const auto found =
            std::ranges::find(publications, name, &source_catalog::Publication::name);
        if (found == publications.end()) {
            throw NeedsOperator{
                "publication \"" + name + "\" has been dropped",
                "The source sends nothing of its tables any more.",
                "Create it again; changes made without it may be missing."};
        }
        if (!found->inserts || !found->updates || !found->deletes || !found->truncates) {
            throw NeedsOperator{
                "publication \"" + name + "\" does not publish every operation any more",
                "Changes that it leaves out would be missing in the history.",
                "ALTER PUBLICATION \"" + name +
                    "\" SET (publish = 'insert, update, delete, truncate');"};
        }
    }
    read_states();
    const auto published = read_published();
    compare_with_catalog(published);
    find_withdrawn(published);
}

}  // namespace pgchronicle::replicator::io
