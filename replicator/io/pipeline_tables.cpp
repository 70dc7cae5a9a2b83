#include "replicator/io/pipeline_tables.hpp"

#include "history_writer/pg/end_versions.hpp"
#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/target_types.hpp"
#include "replicator/io/key_equality.hpp"
#include "replicator/stream_error.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

using history_writer::SourceTransaction;
using history_writer::TableFailure;
using history_writer::WireForm;
using pg::CompareAs;
using source_catalog::Table;

namespace {

/// As pg::for_table: the target's errors are those of one history table.
template <typename Act>
void following(const HistoryTable& table, Act&& act) {
    pg::for_table(table, "followed", std::forward<Act>(act));
}

}  // namespace

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
    quarantined_ = pg::read_quarantines(target_, settings_.pipeline);
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
        table.ends_missed = true;
    }
    entry.table = std::make_shared<HistoryTable>(std::move(table));
    return entry;
}

void PipelineTables::plan_all(const std::vector<Table>& published) {
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
    check_history_tables();
}

void PipelineTables::check() {
    read_states();
    plan_all(read_published());
    for (const auto& [id, entry] : entries_) {
        pg::check_history_table(target_, settings_.pipeline, *entry.table);
    }
}

void PipelineTables::open(Lsn position) {
    entries_.clear();
    ignored_.clear();
    form_ = WireForm::binary;
    read_states();
    tell_quarantines();
    const auto published = read_published();
    plan_all(published);
    const bool first_run = states_.empty();
    for (auto& [id, entry] : entries_) {
        if (quarantine_of(id) != nullptr) {
            prepare_release(entry);
            continue;
        }
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
    forget_dropped();
    copy_due_ = false;  // pending() says it now.
}

bool PipelineTables::known_before(pgoutput::RelationId id) const {
    return std::ranges::any_of(states_, [&](const TableState& state) {
        return state.relation == id && !state.ended;
    });
}

void PipelineTables::check_plans() const {
    std::map<history_writer::TargetName, const Entry*> taken;
    for (const auto& [id, entry] : entries_) {
        const auto source = qualified(entry.source);
        if (!entry.table->keyed && !entry.table->tracks_all) {
            throw TableFailure{
                *entry.table,
                "columns of table \"" + source + "\" cannot be left untracked",
                "It has no key, so that every column tells its rows apart.",
                "Remove tables.overrides." + source + ".track, or give the table a primary key."};
        }
        const auto [at, added] =
            taken.try_emplace({entry.table->target_schema, entry.table->target_table}, &entry);
        const auto& other = *at->second;
        // The same name twice is one relation after the other.
        if (added || qualified(other.source) == source) continue;
        const std::string primary = "two source tables would share one history table";
        const auto detail = "\"" + qualified(other.source) + "\" and \"" + source +
                            "\" both go to \"" + entry.table->target_schema + "." +
                            entry.table->target_table + "\".";
        const std::string hint =
            "Put {schema} into target.schema, or give one of them tables.overrides.<t>.target.";
        // One that comes later is in the wrong; of two that come together, the configuration is.
        const bool comes_now = state_of(entry.source) == nullptr;
        const bool other_comes = state_of(other.source) == nullptr;
        if (comes_now == other_comes) throw NeedsOperator{primary, detail, hint};
        throw TableFailure{comes_now ? *entry.table : *other.table, primary, detail, hint};
    }
}

void PipelineTables::check_history_tables() {
    std::vector<std::shared_ptr<const HistoryTable>> tables;
    for (const auto& [id, entry] : entries_) tables.push_back(entry.table);
    pg::require_untouched(target_, tables);
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
        following(table, [&] {
            pg::end_versions(
                target_,
                {former->target_schema, former->target_table},
                table.names,
                history_writer::Operation::reconcile,
                at.end_lsn,
                at.recorded_time
            );
        });
        log_.info(
            "table_replaced",
            {{"table", qualified(source)},
             {"relation", static_cast<std::uint32_t>(source.id)},
             {"lsn", to_string(at.end_lsn)}}
        );
    }
    end_other_names(source, at);
    following(table, [&] { pg::ensure_history_table(target_, settings_.pipeline, table); });
    const bool copied = settings_.snapshot == config::Snapshot::never;
    pg::begin_relation(target_, settings_.pipeline, source, table, at.end_lsn, copied);
    if (copied) following(table, [&] { pg::ensure_index(target_, table); });
    pg::record_shape(target_, settings_.pipeline, source, table, at.end_lsn);
    read_states();
    return entry_of(source, std::move(table));
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
    const auto published = source_catalog::read_tables(snapshot, settings_.source.publications);
    for (const auto& table : published) {
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
        release_at(seam, entry);
        if (!entry.pending && entry.compare_as == CompareAs::nothing) continue;
        tables.push_back({entry.source, entry.table, entry.compare_as, entry.pending});
    }
    forget_comparisons_without(published);
    return tables;
}

std::optional<TableResolver::Answer> PipelineTables::known(const pgoutput::Relation& relation) {
    if (!history_writer::wanted(relation.schema_name, relation.name, settings_)) return Answer{};
    if (ignored_.contains(relation.id)) return Answer{};
    if (quarantine_of(relation.id) != nullptr) return Answer{};
    const auto found = entries_.find(relation.id);
    if (found == entries_.end() || found->second.stale ||
        !history_writer::matches(relation, found->second.source)) {
        return std::nullopt;
    }
    return Answer{found->second.table};
}

TableResolver::Answer
PipelineTables::resolve(const pgoutput::Relation& relation, const SourceTransaction& at) {
    bool gone = false;
    const auto source = describe(relation, at, gone);
    const auto* const state = state_of(source);
    const bool followed = state != nullptr && state->relation == source.id && !state->ended;
    if (source.through_ancestor && !followed) {
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
    if (gone || source.through_ancestor) {
        // There is nothing to copy from any more; what the stream says is all that can be known.
        entry.pending = false;
        entry.compare_as = CompareAs::nothing;
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
