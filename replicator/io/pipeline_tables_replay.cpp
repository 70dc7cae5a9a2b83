#include "replicator/io/pipeline_tables.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

// What a replay must not ask the source's catalog, which is far ahead: it was recorded.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using history_writer::SourceTransaction;
using source_catalog::Column;
using source_catalog::Table;

PipelineTables::RecordedShape
PipelineTables::shape_then(const pgoutput::Relation& relation, const SourceTransaction& at) {
    if (!replaying_) return {};
    return pg::shape_then(target_, settings_.pipeline, relation, at.end_lsn);
}

Column PipelineTables::described(
    const pgoutput::Relation& relation,
    const pgoutput::Column& column,
    const pg::RecordedColumn* then
) {
    constexpr const char* undefined_object = "42704";
    try {
        auto known = source_catalog::read_type(source_, column.type, column.type_modifier);
        known.name = column.name;
        return known;
    } catch (const pq::Error& error) {
        if (then == nullptr || error.sqlstate() != undefined_object) throw;
    }
    // The type was dropped since. The values go where they went: as text, or, where the history's
    // column has another type, as that of a domain over it.
    Column lost;
    lost.name = column.name;
    lost.type = column.type;
    lost.type_modifier = column.type_modifier;
    lost.type_sql = then->type_sql;
    lost.type_kind = 'e';
    const auto table = history_writer::target_name(relation.schema_name, relation.name, settings_);
    const auto existing = pg::existing_columns(target_, table);
    const auto found = existing.find(then->history_name);
    if (found == existing.end() || found->second == "text") return lost;
    const auto base = target_.exec("SELECT to_regtype($1)::oid", {found->second});
    if (base.null(0, 0)) return lost;
    lost.type_kind = 'd';
    lost.domain_base_sql = found->second;
    lost.base_type = static_cast<std::uint32_t>(base.int64(0, 0));
    return lost;
}

void PipelineTables::recall(Table& table, const RecordedShape& then) const {
    if (then.empty()) return;
    for (std::size_t i = 0; i < then.size(); ++i) {
        table.columns[i].number = then[i].number;
        table.columns[i].constant_default = then[i].filled;
    }
    // A history is kept by one key. An index that was the identity then may be another's now.
    const auto* const state = state_of(table);
    if (state == nullptr || state->relation != table.id) return;
    std::vector<std::string> key;
    for (const auto& name : state->row_key) {
        const auto column = std::ranges::find(then, name, &pg::RecordedColumn::history_name);
        if (column == then.end()) return;
        key.push_back(column->name);
    }
    const bool by_index = table.replica_identity == pgoutput::ReplicaIdentity::index;
    (by_index ? table.identity_index : table.primary_key) = std::move(key);
}

}  // namespace pgchronicle::replicator::io
