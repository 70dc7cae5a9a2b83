#include "history_writer/pg/sql_parts.hpp"
#include "pq/quoting.hpp"
#include "replicator/io/pipeline_tables.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

// Tables that are left behind, and how they come back: nothing of them is streamed until they are
// released; then they are compared with the source at a new seam, and the stream goes on there.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using pg::CompareAs;
using source_catalog::Table;

namespace {

bool has_open_versions(pq::Connection& target, const HistoryTable& table) {
    const auto sql = "SELECT FROM " + pg::qualified_name(table) + " WHERE " +
                     pq::quote_identifier(table.names.valid_to) + " IS NULL LIMIT 1";
    return target.exec(sql).rows() != 0;
}

}  // namespace

std::vector<Table> PipelineTables::read_published() {
    std::vector<Table> published;
    for (auto& table : source_catalog::read_tables(source_, settings_.source.publications)) {
        if (!history_writer::wanted(table.schema_name, table.name, settings_)) continue;
        if (left_behind(table.id)) continue;
        published.push_back(std::move(table));
    }
    return published;
}

const PipelineTables::Quarantine* PipelineTables::quarantine_of(pgoutput::RelationId id) const {
    const auto found = std::ranges::find(quarantined_, id, &Quarantine::relation);
    return found == quarantined_.end() ? nullptr : &*found;
}

bool PipelineTables::left_behind(pgoutput::RelationId id) const {
    const auto* const quarantine = quarantine_of(id);
    return quarantine != nullptr && !quarantine->released;
}

void PipelineTables::tell_quarantines() const {
    for (const auto& quarantine : quarantined_) {
        if (quarantine.released) continue;
        log_.warn(
            "table_left_behind",
            {{"table", quarantine.name()}, {"since", to_string(quarantine.from)}}
        );
    }
}

void PipelineTables::prepare_release(Entry& entry) {
    // Nothing of it is streamed before the seam, where its shape is followed.
    entry.stale = true;
    const auto* const state = state_of(entry.source);
    const bool its_name = state != nullptr && state->relation == entry.source.id && !state->ended;
    entry.pending = !its_name || !state->copied;
    if (entry.pending) return;
    pg::require_same_target(*state, *entry.table);
    entry.compare_as = CompareAs::reconcile;
    pg::mark_for_comparison(target_, settings_.pipeline, *entry.table, CompareAs::reconcile);
    // However it was published meanwhile, and whatever file it has now: the comparison comes later.
    pg::note_source(target_, settings_.pipeline, entry.source);
}

void PipelineTables::release_at(const history_writer::SourceTransaction& seam, Entry& entry) {
    if (quarantine_of(entry.source.id) == nullptr) return;
    const bool compared = entry.compare_as != CompareAs::nothing;
    if (!entry.pending && !compared) {
        // Under `snapshot: never`, a table that had not begun is known from here on.
        pg::end_quarantine(target_, settings_.pipeline, *entry.table, seam.end_lsn);
        return;
    }
    if (!entry.pending || compared || !has_open_versions(target_, *entry.table)) return;
    // It was left behind before its copy: what the stream had opened may have changed since.
    entry.compare_as = CompareAs::reconcile;
}

void PipelineTables::forget_dropped() {
    for (const auto& quarantine : quarantined_) {
        if (!quarantine.released || entries_.contains(quarantine.relation)) continue;
        const auto now =
            source_catalog::read_table(source_, quarantine.relation, settings_.source.publications);
        if (now && !now->through_ancestor) continue;
        pg::forget_quarantine(target_, settings_.pipeline, quarantine);
        log_.warn("table_dropped", {{"table", quarantine.name()}});
    }
}

}  // namespace pgchronicle::replicator::io
