#include "replicator/io/pipeline_tables.hpp"

#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/target_types.hpp"
#include "replicator/io/key_equality.hpp"
#include "replicator/stream_error.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using history_writer::SourceTransaction;
using history_writer::WireForm;
using pg::CompareAs;
using source_catalog::Table;

PipelineTables::PipelineTables(
    const config::Settings& settings,
    pq::Connection& source,
    pq::Connection& target,
    log::Logger& log,
    std::set<pgoutput::RelationId>& needs_text
)
    : settings_{settings},
      source_{source},
      target_{target},
      log_{log},
      types_{pg::read_target_types(target, source.server_version())},
      needs_text_{needs_text} {}

void PipelineTables::log_text_columns(const HistoryTable& table) {
    std::string columns;
    for (const auto& column : table.columns) {
        if (column.stored_as_text) columns += (columns.empty() ? "" : ", ") + column.name;
    }
    if (columns.empty() || !text_columns_logged_.insert(table.relation).second) return;
    log_.info(
        "columns_kept_as_text",
        {{"table", table.source_schema + "." + table.source_table}, {"columns", columns}}
    );
}

HistoryTable PipelineTables::plan(const Table& source) {
    auto table = history_writer::plan_history_table(source, settings_, types_);
    pg::keep_as_made(target_, table);
    return table;
}

void PipelineTables::read_states() {
    states_ = pg::read_states(target_, settings_.pipeline);
}

const PipelineTables::TableState* PipelineTables::state_of(const Table& source) const {
    const auto found = std::ranges::find_if(states_, [&](const TableState& state) {
        return state.source_schema == source.schema_name && state.source_table == source.name;
    });
    return found == states_.end() ? nullptr : &*found;
}

PipelineTables::Entry PipelineTables::entry_of(const Table& source, HistoryTable table) {
    const auto* const state = state_of(source);
    Entry entry;
    entry.source = source;
    entry.pending = state == nullptr || !state->copied;
    entry.compare_as = state == nullptr ? CompareAs::nothing : state->compare_as;
    table.below_seam = entry.pending;
    if (entry.compare_as != CompareAs::nothing) {
        // Until then it may meet rows whose beginning or end was missed.
        table.on_unknown_key = config::OnUnknownKey::open;
    }
    entry.table = std::make_shared<HistoryTable>(std::move(table));
    return entry;
}

void PipelineTables::open(Lsn position) {
    entries_.clear();
    ignored_.clear();
    form_ = WireForm::binary;
    read_states();
    std::vector<Table> published;
    for (auto& table : source_catalog::read_tables(source_, settings_.source.publications)) {
        if (!history_writer::wanted(table.schema_name, table.name, settings_)) continue;
        published.push_back(std::move(table));
    }
    for (const auto& table : published) {
        auto planned = plan(table);
        if (needs_text_.contains(table.id) || !history_writer::binary_safe(table, planned)) {
            form_ = WireForm::text;
        }
        log_text_columns(planned);
        entries_[table.id] = entry_of(table, std::move(planned));
    }
    if (!needs_text_.empty()) form_ = WireForm::text;
    check_plans();
    const bool first_run = states_.empty();
    for (auto& [id, entry] : entries_) {
        const auto* const state = state_of(entry.source);
        if (state == nullptr && (first_run || !known_before(id))) {
            entry = make(entry.source, {position, {}});
            continue;
        }
        if (state == nullptr || state->relation != id || state->ended) {
            // The name stands for another relation than it did. Changes of the former one may still
            // be to come; the stream shows the change of hands, or else the copy makes it.
            entry.stale = entry.pending = true;
            continue;
        }
        // Columns follow the stream, in which they change when their time comes.
        pg::require_same_target(*state, *entry.table);
        entry.stale = !pg::shape_unchanged(target_, settings_.pipeline, entry.source, *entry.table);
    }
    compare_with_catalog(published);
    find_withdrawn(published);
    copy_due_ = false;  // pending() says it now.
}

bool PipelineTables::known_before(pgoutput::RelationId id) const {
    return std::ranges::any_of(states_, [&](const TableState& state) {
        return state.relation == id && !state.ended;
    });
}

void PipelineTables::check_plans() const {
    std::map<history_writer::TargetName, std::string> taken;
    for (const auto& [id, entry] : entries_) {
        const auto source = qualified(entry.source);
        if (!entry.table->keyed && !entry.table->tracks_all) {
            throw NeedsOperator{
                "columns of table \"" + source + "\" cannot be left untracked",
                "It has no key, so that every column tells its rows apart.",
                "Remove tables.overrides." + source + ".track, or give the table a primary key."};
        }
        const auto [at, added] =
            taken.try_emplace({entry.table->target_schema, entry.table->target_table}, source);
        // The same name twice is one relation after the other.
        if (added || at->second == source) continue;
        throw NeedsOperator{
            "two source tables would share one history table",
            "\"" + at->second + "\" and \"" + source + "\" both go to \"" +
                entry.table->target_schema + "." + entry.table->target_table + "\".",
            "Put {schema} into target.schema, or give one of them tables.overrides.<t>.target."};
    }
}

void PipelineTables::end_other_names(const Table& source, const SourceTransaction& at) {
    for (const auto& state : states_) {
        const bool same_name =
            state.source_schema == source.schema_name && state.source_table == source.name;
        if (state.relation != source.id || state.ended || same_name) continue;
        pg::end_versions(
            target_,
            {state.target_schema, state.target_table},
            settings_.tables.history_columns,
            history_writer::Operation::reconcile,
            at.end_lsn,
            at.recorded_time
        );
        pg::end_relation(target_, settings_.pipeline, state.source_schema, state.source_table);
        log_.info(
            "table_renamed",
            {{"table", state.source_schema + "." + state.source_table},
             {"to", qualified(source)},
             {"lsn", to_string(at.end_lsn)}}
        );
    }
}

PipelineTables::Entry
PipelineTables::take_over(const Table& source, HistoryTable table, const SourceTransaction& at) {
    const auto* const former = state_of(source);
    if (former != nullptr && !former->ended) {
        pg::end_versions(
            target_,
            {former->target_schema, former->target_table},
            table.names,
            history_writer::Operation::reconcile,
            at.end_lsn,
            at.recorded_time
        );
        log_.info(
            "table_replaced",
            {{"table", qualified(source)},
             {"relation", static_cast<std::uint32_t>(source.id)},
             {"lsn", to_string(at.end_lsn)}}
        );
    }
    end_other_names(source, at);
    pg::ensure_history_table(target_, settings_.pipeline, table);
    const bool copied = settings_.snapshot == config::Snapshot::never;
    pg::begin_relation(target_, settings_.pipeline, source, table, at.end_lsn, copied);
    if (copied) pg::ensure_index(target_, table);
    pg::record_shape(target_, settings_.pipeline, source, table, at.end_lsn);
    read_states();
    return entry_of(source, std::move(table));
}

void PipelineTables::follow(
    const Table& source,
    const HistoryTable& table,
    const SourceTransaction& at
) {
    const auto change = history_writer::compare_shapes(
        pg::last_shape(target_, settings_.pipeline, source.id), source, table
    );
    pg::follow_shape(target_, settings_.pipeline, source, table, change);
    const auto tell = [&](const char* event, const std::string& column) {
        log_.info(
            event,
            {{"table", qualified(source)}, {"column", column}, {"lsn", to_string(at.end_lsn)}}
        );
    };
    bool rewritten = false;
    for (const auto i : change.gained) {
        tell("column_added", source.columns[i].name);
        rewritten = rewritten || source.columns[i].volatile_default;
    }
    for (const auto i : change.retyped) {
        tell("column_retyped", source.columns[i].name);
        // Of a modifier that grew, no row was written anew; the file tells of the others.
        rewritten = rewritten || (source.file != 0 && state_of(source)->source_file != source.file);
    }
    for (const auto& rename : change.renamed)
        tell("column_renamed", rename.from + " to " + rename.to);
    for (const auto& name : change.lost) tell("column_dropped", name);
    if (rewritten && settings_.snapshot != config::Snapshot::never) {
        pg::mark_for_comparison(target_, settings_.pipeline, table, CompareAs::rewrite);
        pg::note_file(target_, settings_.pipeline, source);
        read_states();
    }
    pg::record_shape(target_, settings_.pipeline, source, table, at.end_lsn);
}

PipelineTables::Entry PipelineTables::make(const Table& source, const SourceTransaction& at) {
    auto table = plan(source);
    const auto* const state = state_of(source);
    if (state == nullptr || state->relation != source.id || state->ended) {
        return take_over(source, std::move(table), at);
    }
    follow(source, table, at);
    return entry_of(source, std::move(table));
}

std::vector<initial_copy::PendingTable> PipelineTables::pending() const {
    std::vector<initial_copy::PendingTable> tables;
    for (const auto& [id, entry] : entries_) {
        if (!entry.pending && entry.compare_as == CompareAs::nothing) continue;
        const auto* const state = state_of(entry.source);
        const bool begun = state != nullptr && state->relation == id && !state->copied;
        tables.push_back({entry.source, entry.table, entry.compare_as, begun});
    }
    return tables;
}

std::vector<initial_copy::PendingTable> PipelineTables::pending_as_of(
    pq::Connection& snapshot,
    const std::vector<initial_copy::PendingTable>& locked,
    const SourceTransaction& seam
) {
    std::vector<initial_copy::PendingTable> tables;
    for (const auto& table : source_catalog::read_tables(snapshot, settings_.source.publications)) {
        // One that was published only now is not locked, and is the next copy's.
        const auto is_it = [&](const auto& pending) { return pending.source.id == table.id; };
        if (std::ranges::none_of(locked, is_it)) continue;
        const auto* const former = state_of(table);
        if (former != nullptr && !former->ended && former->relation != table.id && former->copied) {
            // Nothing was streamed since the name changed hands: the differences tell all.
            end_other_names(table, seam);
            pg::succeed_relation(target_, settings_.pipeline, table);
            read_states();
        }
        auto entry = make(table, seam);
        if (!entry.pending && entry.compare_as == CompareAs::nothing) continue;
        tables.push_back({entry.source, entry.table, entry.compare_as, entry.pending});
    }
    return tables;
}

std::optional<TableResolver::Answer> PipelineTables::known(const pgoutput::Relation& relation) {
    if (!history_writer::wanted(relation.schema_name, relation.name, settings_)) return Answer{};
    if (ignored_.contains(relation.id)) return Answer{};
    const auto found = entries_.find(relation.id);
    if (found == entries_.end() || found->second.stale ||
        !history_writer::matches(relation, found->second.source)) {
        return std::nullopt;
    }
    return Answer{found->second.table};
}

Table PipelineTables::describe(const pgoutput::Relation& relation, bool& gone) {
    // The stream may lag behind the catalog: what the relation says counts, and the catalog adds
    // what it does not say.
    const auto now =
        source_catalog::read_table(source_, relation.id, settings_.source.publications);
    gone = !now;
    const auto before = entries_.find(relation.id);
    Table table = now ? *now : before != entries_.end() ? before->second.source : Table{};
    const auto shape = pg::last_shape(target_, settings_.pipeline, relation.id);
    std::vector<source_catalog::Column> columns;
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
        auto described = source_catalog::read_type(source_, column.type, column.type_modifier);
        described.name = column.name;
        columns.push_back(std::move(described));
    }
    table.id = relation.id;
    table.schema_name = relation.schema_name;
    table.name = relation.name;
    table.replica_identity = relation.replica_identity;
    table.columns = std::move(columns);
    history_writer::infer_numbers(table, shape);
    if (now || before != entries_.end()) return table;

    // Dropped since. Its key is the recorded one, or what the relation says of it.
    const auto* const state = state_of(table);
    const bool recorded = state != nullptr && state->relation == relation.id;
    auto& key = table.replica_identity == pgoutput::ReplicaIdentity::index ? table.identity_index
                                                                           : table.primary_key;
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

TableResolver::Answer
PipelineTables::resolve(const pgoutput::Relation& relation, const SourceTransaction& at) {
    bool gone = false;
    const auto source = describe(relation, gone);
    if (source.through_ancestor) {
        // It is described along with the ancestor as which its rows are sent.
        ignored_.insert(relation.id);
        return {};
    }
    const auto planned = plan(source);
    if (form_ == WireForm::binary && !history_writer::binary_safe(source, planned)) {
        // The form is the whole stream's: it starts again, with this table taken into account.
        needs_text_.insert(relation.id);
        throw pq::Error{
            {"",
             "table \"" + qualified(source) + "\" has a column that needs the text form",
             "",
             "",
             "",
             true}};
    }
    const auto before = entries_.find(relation.id);
    const bool was_due = before != entries_.end() && due(before->second);
    log_text_columns(planned);
    auto& entry = entries_[relation.id] = make(source, at);
    check_plans();
    if (gone && entry.pending) {
        // There is nothing to copy from any more; what the stream says is all that can be known.
        entry.pending = false;
    } else if (due(entry) && !was_due) {
        copy_due_ = true;
    }
    return {entry.table};
}

bool PipelineTables::equal(const history_writer::KeyQuestion& question) {
    const auto entry = entries_.find(question.table->relation);
    return entry != entries_.end() &&
           equal_on_source(source_, entry->second.source, question, form_, log_);
}

bool PipelineTables::due(const Entry& entry) {
    return entry.pending || entry.compare_as != CompareAs::nothing;
}

}  // namespace pgchronicle::replicator::io
