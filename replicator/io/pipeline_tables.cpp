#include "replicator/io/pipeline_tables.hpp"

#include "replicator/stream_error.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

namespace pgchronicle::replicator::io {

using history_writer::WireForm;
using source_catalog::Table;

PipelineTables::PipelineTables(
    const config::Settings& settings,
    pq::Connection& source,
    pq::Connection& target,
    log::Logger& log
)
    : settings_{settings}, source_{source}, target_{target}, log_{log} {}

void PipelineTables::open(Lsn start) {
    start_ = start;
    entries_.clear();
    form_ = WireForm::binary;
    for (auto& table : source_catalog::read_tables(source_, settings_.source.publications)) {
        if (!history_writer::wanted(table.schema_name, table.name, settings_)) continue;
        const auto plan = history_writer::plan_history_table(table, settings_);
        if (!history_writer::binary_safe(table, plan)) form_ = WireForm::text;
        entries_[table.id] = {std::move(table), std::make_shared<HistoryTable>(plan), false, false};
    }
    check_names();
    for (auto& [id, entry] : entries_) {
        const auto state =
            history_writer::pg::read_table_state(target_, settings_.pipeline, *entry.table);
        if (!state.known || state.relation != id) {
            entry = make(entry.source, start_);
            continue;
        }
        // Columns follow the stream, in which they change when their time comes.
        auto table = *entry.table;
        table.below_seam = !state.copied;
        entry.table = std::make_shared<HistoryTable>(std::move(table));
        entry.pending = !state.copied;
        entry.stale = !history_writer::pg::shape_unchanged(
            target_, settings_.pipeline, entry.source, *entry.table
        );
    }
}

void PipelineTables::check_names() const {
    std::map<history_writer::TargetName, std::string> taken;
    for (const auto& [id, entry] : entries_) {
        const auto source = qualified(entry.source);
        const auto [at, added] =
            taken.try_emplace({entry.table->target_schema, entry.table->target_table}, source);
        if (added) continue;
        throw NeedsOperator{
            "two source tables would share one history table",
            "\"" + at->second + "\" and \"" + source + "\" both go to \"" +
                entry.table->target_schema + "." + entry.table->target_table + "\".",
            "Put {schema} into target.schema, or give one of them tables.overrides.<t>.target."};
    }
}

PipelineTables::Entry PipelineTables::make(const Table& source, Lsn lsn) {
    auto table = history_writer::plan_history_table(source, settings_);
    const auto state = history_writer::pg::read_table_state(target_, settings_.pipeline, table);
    const bool copied = state.known ? state.copied : settings_.snapshot == config::Snapshot::never;
    table.below_seam = !copied;
    const auto shape = history_writer::pg::last_shape(target_, settings_.pipeline, source.id);
    history_writer::pg::ensure_history_table(target_, settings_.pipeline, table, {copied, start_});
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        const auto& column = source.columns[i];
        const bool gained =
            !shape.empty() && std::find(shape.begin(), shape.end(), column.name) == shape.end();
        if (!gained || table.kept[i] < 0) continue;
        const auto& name = table.columns[static_cast<std::size_t>(table.kept[i])].name;
        // ADD COLUMN with a constant default gives old rows a value without writing WAL.
        if (column.constant_default) {
            history_writer::pg::fill_constant_default(
                target_, table, name, *column.constant_default
            );
        }
        log_.info(
            "column_added",
            {{"table", qualified(source)}, {"column", name}, {"lsn", to_string(lsn)}}
        );
    }
    history_writer::pg::record_shape(target_, settings_.pipeline, source, table, lsn);
    return {source, std::make_shared<HistoryTable>(std::move(table)), !copied, false};
}

std::vector<initial_copy::PendingTable> PipelineTables::pending() const {
    std::vector<initial_copy::PendingTable> tables;
    for (const auto& [id, entry] : entries_) {
        if (entry.pending) tables.push_back({entry.source, entry.table});
    }
    return tables;
}

std::vector<initial_copy::PendingTable> PipelineTables::pending_as_of(
    pq::Connection& snapshot,
    const std::vector<initial_copy::PendingTable>& locked,
    Lsn seam
) {
    std::vector<initial_copy::PendingTable> tables;
    for (const auto& table : source_catalog::read_tables(snapshot, settings_.source.publications)) {
        // One that was published only now is not locked, and is the next copy's.
        const auto is_it = [&](const auto& pending) { return pending.source.id == table.id; };
        if (std::ranges::none_of(locked, is_it)) continue;
        const auto entry = make(table, seam);
        if (entry.pending) tables.push_back({entry.source, entry.table});
    }
    return tables;
}

std::optional<TableResolver::Answer> PipelineTables::known(const pgoutput::Relation& relation) {
    if (!history_writer::wanted(relation.schema_name, relation.name, settings_)) return Answer{};
    const auto found = entries_.find(relation.id);
    if (found == entries_.end() || found->second.stale ||
        !history_writer::matches(relation, found->second.source)) {
        return std::nullopt;
    }
    return Answer{found->second.table};
}

Table PipelineTables::describe(const pgoutput::Relation& relation) {
    // The stream may lag behind the catalog: what the relation says counts, and the catalog adds
    // what it does not say.
    auto now = source_catalog::read_table(source_, relation.id, settings_.source.publications);
    const auto before = entries_.find(relation.id);
    Table table = now ? *now : before != entries_.end() ? before->second.source : Table{};
    std::vector<source_catalog::Column> columns;
    for (const auto& column : relation.columns) {
        const auto same = [&](const auto& c) {
            return c.name == column.name && c.type == column.type &&
                   c.type_modifier == column.type_modifier;
        };
        const auto found = std::find_if(table.columns.begin(), table.columns.end(), same);
        if (found != table.columns.end()) {
            columns.push_back(*found);
            continue;
        }
        auto described = source_catalog::read_type(source_, column.type, column.type_modifier);
        described.name = column.name;
        columns.push_back(std::move(described));
    }
    table.id = relation.id;
    table.schema_name = relation.schema_name;
    table.name = relation.name;
    table.replica_identity = relation.replica_identity;
    table.columns = std::move(columns);
    if (!now && before == entries_.end()) {
        for (const auto& column : relation.columns) {
            if (column.in_identity) table.primary_key.push_back(column.name);
        }
    }
    return table;
}

TableResolver::Answer PipelineTables::resolve(const pgoutput::Relation& relation, Lsn end_lsn) {
    const auto source = describe(relation);
    const auto plan = history_writer::plan_history_table(source, settings_);
    if (form_ == WireForm::binary && !history_writer::binary_safe(source, plan)) {
        // The form is the whole stream's: it starts again, with this table taken into account.
        throw pq::Error{
            {"",
             "a column that needs the text form was added to table \"" + qualified(source) + "\"",
             "",
             "",
             "",
             true}};
    }
    const auto before = entries_.find(relation.id);
    const bool was_pending = before != entries_.end() && before->second.pending;
    auto& entry = entries_[relation.id] = make(source, end_lsn);
    check_names();
    if (entry.pending && !was_pending) copy_due_ = true;
    return {entry.table};
}

void PipelineTables::recheck() {
    const auto publications =
        source_catalog::read_publications(source_, settings_.source.publications);
    for (const auto& name : settings_.source.publications) {
        const auto found = std::find_if(
            publications.begin(), publications.end(), [&](const auto& p) { return p.name == name; }
        );
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
}

}  // namespace pgchronicle::replicator::io
