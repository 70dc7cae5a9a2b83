#include "history_writer/batch_builder.hpp"

#include "history_writer/copy_row.hpp"
#include "history_writer/kept_memory.hpp"
#include "history_writer/row_key.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace pgchronicle::history_writer {

using pgoutput::TupleReader;
using pgoutput::Value;
using pgoutput::ValueKind;

namespace {

/// A key is tens of bytes; where it is a whole row, one of the usual size.
constexpr std::size_t key_bytes_kept_max = 64U << 10U;

PlanError error(PlanErrc code, const HistoryTable& table, std::uint64_t change_seq) {
    return {code, table.source_schema + "." + table.source_table, change_seq};
}

bool same(const Value& a, const Value& b) {
    return a.kind == b.kind && a.bytes.size() == b.bytes.size() &&
           (a.bytes.empty() || std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0);
}

/// Bit i, least significant first, as get_bit(bytea, i) reads it.
void set_bit(Bytes& bitmaps, std::size_t offset, std::size_t bit) {
    bitmaps[offset + bit / 8] |= static_cast<std::byte>(1U << (bit % 8));
}

bool bit_set(const Bytes& bitmaps, std::size_t offset, std::size_t bit) {
    return (bitmaps[offset + bit / 8] & static_cast<std::byte>(1U << (bit % 8))) != std::byte{0};
}

}  // namespace

void BatchBuilder::begin_transaction(const SourceTransaction& transaction) {
    batch_.transactions.push_back(transaction);
    if (batch_.stretches.empty()) batch_.stretches.emplace_back();
}

bool BatchBuilder::read_values(
    const HistoryTable& table,
    const pgoutput::TupleData& tuple,
    Values& out
) const {
    assert(tuple.column_count == table.kept.size());
    out.clear();
    TupleReader reader{tuple};
    const auto other = form_ == WireForm::binary ? ValueKind::text : ValueKind::binary;
    for (const auto kept : table.kept) {
        const Value value = reader.next();
        if (kept < 0) continue;
        if (value.kind == other) return false;
        out.push_back(value);
    }
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
    auto changes = spare_.take();
    changes->table = table;
    slot.changes = changes.get();
    batch_.stretches.back().tables.push_back(std::move(changes));
    return *(last_slot_ = &slot);
}

void BatchBuilder::end_stretch() {
    forget_keys();
    batch_.stretches.emplace_back();
}

void BatchBuilder::forget_keys() {
    for (std::size_t i = 0; i < slots_used_; ++i) {
        slots_[i]->keys.clear();
        slots_[i]->table.reset();
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

void BatchBuilder::append_inherited(
    TableChanges& changes,
    std::size_t column,
    Base base,
    std::uint32_t& fill
) {
    std::uint32_t base_close = base.close;
    if (base.version != no_index) {
        const Version& from = changes.versions[base.version];
        const auto* known = from.fill == no_index ? nullptr : &changes.fills[from.fill];
        if (known == nullptr || !bit_set(changes.bitmaps, known->bitmap, column)) {
            const auto field = field_of(
                std::span<const std::byte>{changes.payload}.subspan(from.offset, from.size),
                column,
                form_
            );
            const auto source = static_cast<std::size_t>(field.data() - changes.payload.data());
            const auto at = changes.payload.size();
            changes.payload.resize(at + field.size());
            std::memcpy(changes.payload.data() + at, changes.payload.data() + source, field.size());
            return;
        }
        base_close = known->close;
    }
    if (fill == no_index) {
        const auto offset = changes.bitmaps.size();
        changes.bitmaps.resize(offset + (changes.table->columns.size() + 7) / 8);
        fill = static_cast<std::uint32_t>(changes.fills.size());
        changes.fills.push_back(
            {static_cast<std::uint32_t>(changes.versions.size()),
             base_close,
             static_cast<std::uint32_t>(offset)}
        );
    }
    set_bit(changes.bitmaps, changes.fills[fill].bitmap, column);
    append_null_field(changes.payload, form_);
}

std::uint32_t BatchBuilder::append_version(Slot& slot, const Draft& draft) {
    TableChanges& changes = *slot.changes;
    const auto offset = changes.payload.size();
    std::uint32_t fill = no_index;
    for (std::size_t i = 0; i < draft.values.size(); ++i) {
        if (draft.values[i].kind == ValueKind::unchanged_toast) {
            append_inherited(changes, i, draft.base, fill);
        } else {
            append_field(changes.payload, draft.values[i], form_);
        }
    }
    Version version;
    version.offset = offset;
    version.size = static_cast<std::uint32_t>(changes.payload.size() - offset);
    version.change_seq = draft.change_seq;
    version.opened_by = current();
    version.operation = draft.operation;
    version.fill = fill;
    changes.versions.push_back(version);
    bytes_ += version.size + sizeof(Version);
    ++batch_.rows;
    return static_cast<std::uint32_t>(changes.versions.size() - 1);
}

std::optional<BatchBuilder::Base>
BatchBuilder::end_open(Slot& slot, KeyState& state, const Values& key_values, bool old_complete) {
    TableChanges& changes = *slot.changes;
    if (state.open_version != no_index) {
        Base base{state.open_version, no_index};
        Version& ended = changes.versions[state.open_version];
        ended.closed_by = current();
        state.open_version = ended.previous_open;
        return base;
    }
    const HistoryTable& table = *slot.table;
    if (table.keyed && state.seen) return std::nullopt;  // Ended in this batch, not begun again.
    Close close;
    close.offset = changes.keys.size();
    close.closed_by = current();
    close.nth = state.target_closes++;
    if (table.keyed) {
        for (const auto column : table.key) append_neutral(changes.keys, key_values[column]);
    } else {
        for (const auto& value : key_values) append_neutral(changes.keys, value);
    }
    close.size = static_cast<std::uint32_t>(changes.keys.size() - close.offset);
    if (table.below_seam && old_complete) {
        close.old_row = static_cast<std::uint32_t>(changes.old_rows.size());
        OldRow old{changes.payload.size(), 0};
        for (const auto& value : key_values) append_field(changes.payload, value, form_);
        old.size = static_cast<std::uint32_t>(changes.payload.size() - old.offset);
        changes.old_rows.push_back(old);
        bytes_ += old.size;
    }
    changes.closes.push_back(close);
    state.base_close = static_cast<std::uint32_t>(changes.closes.size() - 1);
    bytes_ += close.size + sizeof(Close);
    ++batch_.rows;
    return Base{no_index, state.base_close};
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
    state->seen = true;
    const auto version = append_version(slot, draft);
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
    if (std::any_of(new_values_.begin(), new_values_.end(), unsent)) {
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
    const bool full = change.old_kind == pgoutput::OldTupleKind::full;
    if (change.old_kind != pgoutput::OldTupleKind::none) {
        if (!read_values(*table, change.old_tuple, old_values_)) {
            return error(PlanErrc::form_mismatch, *table, change_seq);
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

bool BatchBuilder::target_must_compare(
    const Slot& slot,
    const KeyState& state,
    const Values& values
) const {
    if (slot.table->kept.size() == slot.table->columns.size()) return false;
    if (state.open_version == no_index) return false;
    const TableChanges& changes = *slot.changes;
    const auto fill = changes.versions[state.open_version].fill;
    if (fill == no_index) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const bool sent = values[i].kind != ValueKind::unchanged_toast;
        if (sent && bit_set(changes.bitmaps, changes.fills[fill].bitmap, i)) return true;
    }
    return false;
}

BatchBuilder::Outcome
BatchBuilder::replace(Slot& slot, KeyState& state, const Draft& draft, bool full) {
    TableChanges& changes = *slot.changes;
    state.open_version = append_version(slot, draft);
    // Under FULL it is known already that a kept column changed.
    const bool may_say_nothing = !full && slot.table->kept.size() != slot.table->columns.size();
    if (!may_say_nothing) return std::nullopt;
    if (draft.base.close != no_index) {
        changes.closes[draft.base.close].unless_same_as = state.open_version;
    } else if (drop_if_same(changes, draft.base.version)) {
        changes.versions[draft.base.version].closed_by = no_index;
        state.open_version = draft.base.version;
    }
    return std::nullopt;
}

bool BatchBuilder::drop_if_same(TableChanges& changes, std::uint32_t before) {
    const Version& old = changes.versions[before];
    const Version& fresh = changes.versions.back();
    const auto bytes_of = [&](const Bytes& bytes, std::uint64_t offset, std::size_t size) {
        return std::span<const std::byte>{bytes}.subspan(offset, size);
    };
    const auto equal = [](std::span<const std::byte> a, std::span<const std::byte> b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    };
    if (!equal(
            bytes_of(changes.payload, old.offset, old.size),
            bytes_of(changes.payload, fresh.offset, fresh.size)
        ) ||
        (old.fill == no_index) != (fresh.fill == no_index)) {
        return false;
    }
    if (fresh.fill != no_index) {
        const auto size = (changes.table->columns.size() + 7) / 8;
        const Fill last = changes.fills.back();
        if (!equal(
                bytes_of(changes.bitmaps, changes.fills[old.fill].bitmap, size),
                bytes_of(changes.bitmaps, last.bitmap, size)
            )) {
            return false;
        }
        changes.bitmaps.resize(last.bitmap);
        changes.fills.pop_back();
    }
    changes.payload.resize(fresh.offset);
    changes.versions.pop_back();
    --batch_.rows;
    return true;
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
    if (!table.keyed)
        return open_key(slot, {draft.values, *base, draft.operation, draft.change_seq});

    old_key_.assign(key_.begin(), key_.end());
    const auto new_key = canonical_key(table, draft.values);
    if (!new_key) {
        return error(PlanErrc::unchanged_toast_without_row, table, draft.change_seq);
    }
    if (std::equal(new_key->begin(), new_key->end(), old_key_.begin(), old_key_.end())) {
        KeyState& again = state_of(slot, *new_key);
        return replace(
            slot, again, {draft.values, *base, draft.operation, draft.change_seq}, old_complete
        );
    }
    append_tombstone(slot, old_complete, *base, Operation::rekey, draft.change_seq);
    return open_key(slot, {draft.values, *base, draft.operation, draft.change_seq});
}

void BatchBuilder::append_tombstone(
    Slot& slot,
    bool complete,
    Base base,
    Operation operation,
    std::uint64_t change_seq
) {
    if (!complete) {
        // Only the key was sent; everything else is what the last version says.
        const auto& key = slot.table->key;
        for (std::size_t i = 0; i < old_values_.size(); ++i) {
            if (std::find(key.begin(), key.end(), i) == key.end()) {
                old_values_[i] = {ValueKind::unchanged_toast, {}};
            }
        }
    }
    const auto version = append_version(slot, {old_values_, base, operation, change_seq});
    slot.changes->versions[version].closed_by = current();
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
    const bool full = change.old_kind == pgoutput::OldTupleKind::full;
    if (!table->keyed && !full) return error(PlanErrc::missing_old_tuple, *table, change_seq);
    const auto key = canonical_key(*table, old_values_);
    if (!key) return error(PlanErrc::unchanged_toast_without_row, *table, change_seq);
    KeyState& state = state_of(slot, *key);
    const auto base = end_open(slot, state, old_values_, full);
    if (!base) return error(PlanErrc::unknown_key, *table, change_seq);
    state.seen = true;
    append_tombstone(slot, full, *base, Operation::remove, change_seq);
    return std::nullopt;
}

void BatchBuilder::truncate(
    const std::shared_ptr<const HistoryTable>& table,
    std::uint64_t change_seq
) {
    batch_.stretches.back().truncates.push_back({table, current(), change_seq});
    ++batch_.rows;
    bytes_ += sizeof(TruncateTable);
    end_stretch();
}

ChangeBatch BatchBuilder::take(bool continues) {
    ChangeBatch batch = std::move(batch_);
    batch.form = form_;
    batch.continues = continues;
    batch_ = ChangeBatch{};
    forget_keys();
    for (Bytes* key : {&key_, &old_key_}) clear_within(*key, key_bytes_kept_max);
    bytes_ = 0;
    if (continues) begin_transaction(batch.transactions.back());
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
