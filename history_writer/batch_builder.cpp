#include "history_writer/batch_builder.hpp"

#include "history_writer/kept_memory.hpp"
#include "history_writer/row_key.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace pgchronicle::history_writer {

using pgoutput::TupleReader;
using pgoutput::Value;
using pgoutput::ValueKind;

namespace {

std::string string_of(const Value& value) {
    return {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};  // NOLINT
}

/// Whether the row key stands in an old tuple that holds an identity only; what does not belong to
/// it is NULL there, and no key of ours ever is.
bool has_key(const HistoryTable& table, const std::vector<Value>& values) {
    return std::ranges::none_of(table.key, [&](std::uint16_t column) {
        return values[column].kind == ValueKind::null;
    });
}

/// pgoutput marks an old tuple by the root's replica identity and fills it by the partition's:
/// under a root with FULL it may hold the key and NULL for all that was not sent. Taken for a key
/// where all the rest is NULL, it says nothing wrong in either case.
bool may_be_key_only(const HistoryTable& table, const std::vector<Value>& values) {
    if (!table.partitioned || !table.keyed) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const bool in_key = std::ranges::find(table.key, i) != table.key.end();
        if (!in_key && values[i].kind != ValueKind::null) return false;
    }
    return true;
}

/// A key is tens of bytes; where it is a whole row, one of the usual size.
constexpr std::size_t key_bytes_kept_max = 64U << 10U;

PlanError error(PlanErrc code, const HistoryTable& table, std::uint64_t change_seq) {
    return {code, table.source_schema + "." + table.source_table, change_seq};
}

bool same(const Value& a, const Value& b) {
    return a.kind == b.kind && a.bytes.size() == b.bytes.size() &&
           (a.bytes.empty() || std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0);
}

}  // namespace

void BatchBuilder::begin_transaction(const SourceTransaction& transaction) {
    end_transaction();
    batch_.transactions.push_back(transaction);
    if (batch_.stretches.empty()) batch_.stretches.emplace_back();
}

void BatchBuilder::end_transaction() {
    for (auto& table : split_) {
        // It may have another shape since.
        for (std::size_t i = 0; i < slots_used_; ++i) {
            if (slots_[i]->table->relation == table->relation) table = slots_[i]->table;
        }
        batch_.collapses.push_back({std::move(table), current()});
    }
    split_.clear();
    for (std::size_t i = 0; i < slots_used_; ++i) {
        slots_[i]->collapses = slots_[i]->table->collapse;
    }
}

void BatchBuilder::note_split() {
    for (std::size_t i = 0; i < slots_used_; ++i) {
        const Slot& slot = *slots_[i];
        if (!slot.table->collapse || slot.changed_in != current()) continue;
        note_split(slot.table);
    }
}

void BatchBuilder::note_split(const std::shared_ptr<const HistoryTable>& table) {
    std::erase_if(split_, [&](const auto& other) { return other->relation == table->relation; });
    split_.push_back(table);
}

bool BatchBuilder::read_values(
    const HistoryTable& table,
    const pgoutput::TupleData& tuple,
    Values& out
) const {
    assert(tuple.column_count == table.kept.size());
    // One to spare, for what is read and not kept.
    out.resize(table.columns.size() + 1);
    TupleReader reader{tuple};
    const auto other = form_ == WireForm::binary ? ValueKind::text : ValueKind::binary;
    auto* value = out.data();
    for (const auto kept : table.kept) {
        reader.next(*value);
        if (kept < 0) continue;
        if (value->kind == other) return false;
        ++value;
    }
    out.pop_back();
    return true;
}

bool BatchBuilder::only_excluded_changed(const HistoryTable& table, const pgoutput::Update& change)
    const {
    if (table.kept.size() == table.columns.size()) return false;
    TupleReader old_reader{change.old_tuple};
    TupleReader new_reader{change.new_tuple};
    bool excluded_changed = false;
    for (const auto kept : table.kept) {
        const Value before = old_reader.next();
        const Value after = new_reader.next();
        if (after.kind == ValueKind::unchanged_toast || same(before, after)) continue;
        if (kept >= 0) return false;
        excluded_changed = true;
    }
    return excluded_changed;
}

std::optional<KeyQuestion> BatchBuilder::question(
    const std::shared_ptr<const HistoryTable>& table,
    const pgoutput::Update& change
) {
    if (!table->asks_equality || change.old_kind == pgoutput::OldTupleKind::none) {
        return std::nullopt;
    }
    if (!read_values(*table, change.new_tuple, new_values_) ||
        !read_values(*table, change.old_tuple, old_values_)) {
        return std::nullopt;  // `update` says what is wrong.
    }
    KeyQuestion question{table, {}};
    for (const auto column : table->key) {
        const Value& before = old_values_[column];
        const Value& after = new_values_[column];
        if (after.kind == ValueKind::unchanged_toast || same(before, after)) continue;
        const auto equality = table->columns[column].equality;
        if (equality == KeyEquality::asked && after.kind != ValueKind::null) {
            question.columns.push_back({column, string_of(before), string_of(after)});
            continue;
        }
        key_.clear();
        append_canonical(key_, before, equality);
        const auto middle = key_.size();
        append_canonical(key_, after, equality);
        const std::span<const std::byte> both{key_};
        if (!std::ranges::equal(both.first(middle), both.subspan(middle))) return std::nullopt;
    }
    if (question.columns.empty()) return std::nullopt;
    return question;
}

std::optional<std::span<const std::byte>>
BatchBuilder::canonical_key(const HistoryTable& table, const Values& values) {
    key_.clear();
    if (!table.keyed) {
        for (const auto& value : values) append_neutral(key_, value);
        return std::span<const std::byte>{key_};
    }
    for (const auto column : table.key) {
        if (values[column].kind == ValueKind::unchanged_toast) return std::nullopt;
        append_canonical(key_, values[column], table.columns[column].equality);
    }
    return std::span<const std::byte>{key_};
}

BatchBuilder::Slot& BatchBuilder::slot_of(const std::shared_ptr<const HistoryTable>& table) {
    if (last_slot_ != nullptr && last_slot_->table == table) return *last_slot_;
    for (std::size_t i = 0; i < slots_used_; ++i) {
        Slot& slot = *slots_[i];
        if (slot.table == table) return *(last_slot_ = &slot);
        if (slot.table->relation == table->relation) {
            // The table has another shape from here on: what came before goes to the target first.
            end_stretch();
            break;
        }
    }
    if (slots_used_ == slots_.size()) slots_.push_back(std::make_unique<Slot>());
    Slot& slot = *slots_[slots_used_++];
    slot.table = table;
    slot.collapses = table->collapse && std::ranges::none_of(split_, [&](const auto& other) {
                         return other->relation == table->relation;
                     });
    auto changes = spare_.take();
    changes->table = table;
    slot.changes = changes.get();
    batch_.stretches.back().tables.push_back(std::move(changes));
    return *(last_slot_ = &slot);
}

void BatchBuilder::end_stretch() {
    note_split();
    forget_keys();
    batch_.stretches.emplace_back();
}

void BatchBuilder::forget_keys() {
    for (std::size_t i = 0; i < slots_used_; ++i) {
        slots_[i]->keys.clear();
        slots_[i]->table.reset();
        slots_[i]->changed_in = no_index;
    }
    slots_used_ = 0;
    last_slot_ = nullptr;
    key_bytes_ = 0;
    std::size_t kept = 0;
    for (const auto& slot : slots_) {
        const auto memory = slot->keys.memory();
        if (kept + memory > kept_bytes_max_) {
            slot->keys = KeyIndex{};
        } else {
            kept += memory;
        }
    }
}

KeyState& BatchBuilder::state_of(Slot& slot, std::span<const std::byte> key) {
    KeyState& state = slot.keys.find_or_add(key);
    // A table without a key has whole rows here.
    if (!state.seen) key_bytes_ += sizeof(KeyState) + key.size();
    return state;
}

BatchBuilder::Outcome BatchBuilder::open_key(Slot& slot, const Draft& draft) {
    const auto key = canonical_key(*slot.table, draft.values);
    if (!key) {
        return error(PlanErrc::unchanged_toast_without_row, *slot.table, draft.change_seq);
    }
    KeyState* state = &state_of(slot, *key);
    if (slot.table->keyed && state->open_version != no_index) {
        return error(PlanErrc::key_already_open, *slot.table, draft.change_seq);
    }
    if (slot.table->ends_missed && slot.table->keyed && !state->seen) {
        // What the target has open of this key has ended, and nobody said when: it ends here. No
        // account is taken of it otherwise, for most keys were not there.
        (void)end_open(slot, *state, draft.values, false);
        state->left_in = no_index;
    }
    state->seen = true;
    auto operation = draft.operation;
    if (slot.collapses && state->left_in == current()) {
        // The key was there before this transaction, and is again.
        take_back(slot, *state, state->tombstone);
        operation = Operation::update;
    }
    const auto version =
        append_version(slot, {draft.values, draft.base, operation, draft.change_seq});
    slot.changes->versions[version].previous_open = state->open_version;
    state->open_version = version;
    return std::nullopt;
}

BatchBuilder::Outcome BatchBuilder::insert(
    const std::shared_ptr<const HistoryTable>& table,
    const pgoutput::TupleData& row,
    std::uint64_t change_seq
) {
    Slot& slot = slot_of(table);
    if (!read_values(*table, row, new_values_)) {
        return error(PlanErrc::form_mismatch, *table, change_seq);
    }
    const auto unsent = [](const Value& v) { return v.kind == ValueKind::unchanged_toast; };
    // An update that brings a row into a row filter comes as an insert, without what it left as it
    // was: that is NULL, and noted as unknown, unless the copy still tells.
    if (!table->keyed && std::any_of(new_values_.begin(), new_values_.end(), unsent)) {
        return error(PlanErrc::unchanged_toast_without_row, *table, change_seq);
    }
    return open_key(slot, {new_values_, {}, Operation::insert, change_seq});
}

BatchBuilder::Outcome BatchBuilder::update(
    const std::shared_ptr<const HistoryTable>& table,
    const pgoutput::Update& change,
    std::uint64_t change_seq
) {
    Slot& slot = slot_of(table);
    if (!read_values(*table, change.new_tuple, new_values_)) {
        return error(PlanErrc::form_mismatch, *table, change_seq);
    }
    bool full = change.old_kind == pgoutput::OldTupleKind::full;
    if (change.old_kind != pgoutput::OldTupleKind::none) {
        if (!read_values(*table, change.old_tuple, old_values_)) {
            return error(PlanErrc::form_mismatch, *table, change_seq);
        }
        full = full && !may_be_key_only(*table, old_values_);
        if (!full && !has_key(*table, old_values_)) {
            return error(PlanErrc::key_not_sent, *table, change_seq);
        }
        // Unchanged TOAST stands in the old tuple: all of it under FULL, key columns otherwise.
        for (std::size_t i = 0; i < new_values_.size(); ++i) {
            const bool in_key =
                std::find(table->key.begin(), table->key.end(), i) != table->key.end();
            if (new_values_[i].kind == ValueKind::unchanged_toast && (full || in_key)) {
                new_values_[i] = old_values_[i];
            }
        }
    }
    if (full && only_excluded_changed(*table, change)) return std::nullopt;
    if (!table->keyed && !full) return error(PlanErrc::missing_old_tuple, *table, change_seq);
    const Draft draft{new_values_, {}, Operation::update, change_seq};
    if (change.old_kind != pgoutput::OldTupleKind::none) return rekey(slot, draft, full);

    const auto key = canonical_key(*table, new_values_);
    if (!key) return error(PlanErrc::unchanged_toast_without_row, *table, change_seq);
    KeyState& state = state_of(slot, *key);
    if (target_must_compare(slot, state, new_values_)) {
        // The open version goes to the target first; there the new one meets it.
        end_stretch();
        return update(table, change, change_seq);
    }
    const auto base = end_open(slot, state, new_values_, false);
    if (!base) return error(PlanErrc::unknown_key, *table, change_seq);
    state.seen = true;
    return replace(slot, state, {new_values_, *base, Operation::update, change_seq}, false);
}

BatchBuilder::Outcome
BatchBuilder::replace(Slot& slot, KeyState& state, const Draft& draft, bool full) {
    TableChanges& changes = *slot.changes;
    const auto before = draft.base.version;
    const auto version = append_version(slot, draft);
    state.open_version = version;
    // Under FULL it is known already that a kept column changed.
    const bool doubtful = !slot.table->tracks_all || (!full && slot.table->has_excluded());
    if (doubtful && draft.base.close != no_index) {
        changes.closes[draft.base.close].unless_same_as = version;
    } else if (doubtful && says_the_same(changes, before)) {
        stay_open(slot, state, before);
    } else if (take_back(slot, state, before)) {
        changes.versions[version].operation = changes.versions[before].operation;
    }
    return std::nullopt;
}

BatchBuilder::Outcome BatchBuilder::rekey(Slot& slot, const Draft& draft, bool old_complete) {
    const HistoryTable& table = *slot.table;
    const auto old_key = canonical_key(table, old_values_);
    if (!old_key) {
        return error(PlanErrc::unchanged_toast_without_row, table, draft.change_seq);
    }
    KeyState& state = state_of(slot, *old_key);
    const auto base = end_open(slot, state, old_values_, old_complete);
    if (!base) return error(PlanErrc::unknown_key, table, draft.change_seq);
    state.seen = true;
    Draft fresh{draft.values, *base, draft.operation, draft.change_seq};
    if (!table.keyed) return open_key(slot, fresh);
    old_key_.assign(key_.begin(), key_.end());
    const auto new_key = canonical_key(table, draft.values);
    if (!new_key) {
        return error(PlanErrc::unchanged_toast_without_row, table, draft.change_seq);
    }
    const bool asked_equal = std::exchange(keys_are_equal_, false);
    if (asked_equal || std::ranges::equal(*new_key, old_key_)) {
        KeyState& again = state_of(slot, *new_key);
        if (again.open_version != no_index) {
            return error(PlanErrc::key_already_open, table, draft.change_seq);
        }
        again.seen = true;
        return replace(slot, again, fresh, old_complete);
    }
    const bool taken_back = take_back(slot, state, base->version);
    if (taken_back) fresh.operation = slot.changes->versions[base->version].operation;
    if (!taken_back || state.left_in == current()) {
        append_tombstone(slot, state, old_complete, *base, Operation::rekey, draft.change_seq);
    }
    return open_key(slot, fresh);
}

BatchBuilder::Outcome BatchBuilder::remove(
    const std::shared_ptr<const HistoryTable>& table,
    const pgoutput::Delete& change,
    std::uint64_t change_seq
) {
    Slot& slot = slot_of(table);
    if (!read_values(*table, change.old_tuple, old_values_)) {
        return error(PlanErrc::form_mismatch, *table, change_seq);
    }
    const bool full =
        change.old_kind == pgoutput::OldTupleKind::full && !may_be_key_only(*table, old_values_);
    if (!table->keyed && !full) return error(PlanErrc::missing_old_tuple, *table, change_seq);
    if (!full && !has_key(*table, old_values_)) {
        return error(PlanErrc::key_not_sent, *table, change_seq);
    }
    const auto key = canonical_key(*table, old_values_);
    if (!key) return error(PlanErrc::unchanged_toast_without_row, *table, change_seq);
    KeyState& state = state_of(slot, *key);
    const auto base = end_open(slot, state, old_values_, full);
    if (!base) return error(PlanErrc::unknown_key, *table, change_seq);
    state.seen = true;
    // Of a key that was not there before this transaction, nothing is left.
    if (take_back(slot, state, base->version) && state.left_in != current()) return std::nullopt;
    append_tombstone(slot, state, full, *base, Operation::remove, change_seq);
    return std::nullopt;
}

void BatchBuilder::truncate(
    const std::shared_ptr<const HistoryTable>& table,
    std::uint64_t change_seq
) {
    batch_.stretches.back().truncates.push_back({table, current(), change_seq});
    if (table->collapse) note_split(table);
    ++batch_.rows;
    bytes_ += sizeof(TruncateTable);
    end_stretch();
}

ChangeBatch BatchBuilder::take(bool continues) {
    if (continues) {
        note_split();
    } else {
        end_transaction();
    }
    ChangeBatch batch = std::move(batch_);
    batch.form = form_;
    batch.continues = continues;
    batch_ = ChangeBatch{};
    forget_keys();
    for (Bytes* key : {&key_, &old_key_}) clear_within(*key, key_bytes_kept_max);
    bytes_ = 0;
    if (continues) {
        batch_.transactions.push_back(batch.transactions.back());
        batch_.stretches.emplace_back();
    }
    return batch;
}

void BatchBuilder::recycle(ChangeBatch&& batch) {
    for (auto& stretch : batch.stretches) {
        for (auto& table : stretch.tables) spare_.give(std::move(table));
    }
    batch.stretches.clear();
}

void BatchBuilder::keep_at_most(std::size_t bytes) {
    kept_bytes_max_ = bytes;
    spare_.keep_at_most(bytes);
}

}  // namespace pgchronicle::history_writer
