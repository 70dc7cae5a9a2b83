#include "history_writer/batch_builder.hpp"
#include "history_writer/copy_row.hpp"
#include "history_writer/row_key.hpp"

#include <algorithm>
#include <cstring>

// How the versions of a batch are made, compared, and taken back.

namespace pgchronicle::history_writer {

using pgoutput::Value;
using pgoutput::ValueKind;

namespace {

/// Bit i, least significant first, as get_bit(bytea, i) reads it.
void set_bit(Bytes& bitmaps, std::size_t offset, std::size_t bit) {
    bitmaps[offset + bit / 8] |= static_cast<std::byte>(1U << (bit % 8));
}

bool bit_set(const Bytes& bitmaps, std::size_t offset, std::size_t bit) {
    return (bitmaps[offset + bit / 8] & static_cast<std::byte>(1U << (bit % 8))) != std::byte{0};
}

}  // namespace

void BatchBuilder::append_inherited(
    TableChanges& changes,
    std::size_t column,
    Base base,
    std::uint32_t& fill
) {
    ++batch_.values_inherited;
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
    const auto inherits = [](const Value& value) {
        return value.kind == ValueKind::unchanged_toast;
    };
    if (form_ == WireForm::binary && std::ranges::none_of(draft.values, inherits)) {
        append_binary_row(changes.payload, draft.values);
    } else {
        for (std::size_t i = 0; i < draft.values.size(); ++i) {
            if (inherits(draft.values[i])) {
                append_inherited(changes, i, draft.base, fill);
            } else {
                append_field(changes.payload, draft.values[i], form_);
            }
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
    slot.changed_in = current();
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
        if (ended.opened_by != current()) state.left_in = current();
        state.open_version = ended.previous_open;
        return base;
    }
    const HistoryTable& table = *slot.table;
    if (table.keyed && state.seen) return std::nullopt;  // Ended in this batch, not begun again.
    slot.changed_in = state.left_in = current();
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
    // Behind a gap, nobody knows since when the row was what the old tuple says.
    if (table.below_seam && old_complete && !table.ends_missed) {
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

bool BatchBuilder::target_must_compare(
    const Slot& slot,
    const KeyState& state,
    const Values& values
) const {
    if (!slot.table->may_say_nothing() || state.open_version == no_index) return false;
    const TableChanges& changes = *slot.changes;
    const auto fill = changes.versions[state.open_version].fill;
    if (fill == no_index) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const bool sent = values[i].kind != ValueKind::unchanged_toast;
        if (!slot.table->columns[i].tracked) continue;
        if (sent && bit_set(changes.bitmaps, changes.fills[fill].bitmap, i)) return true;
    }
    return false;
}

bool BatchBuilder::says_the_same(const TableChanges& changes, std::uint32_t before) const {
    const auto row_of = [&](const Version& version) {
        return std::span<const std::byte>{changes.payload}.subspan(version.offset, version.size);
    };
    const auto take_field = [&](std::span<const std::byte>& rest) {
        const auto field = field_of(rest, 0, form_);
        rest = rest.subspan(field.size());
        return field;
    };
    const auto unknown = [&](const Version& version, std::size_t column) {
        return version.fill != no_index &&
               bit_set(changes.bitmaps, changes.fills[version.fill].bitmap, column);
    };
    const Version& old = changes.versions[before];
    const Version& fresh = changes.versions.back();
    const auto& columns = changes.table->columns;
    auto old_rest = row_of(old);
    auto fresh_rest = row_of(fresh);
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const auto was = take_field(old_rest);
        const auto is = take_field(fresh_rest);
        if (!columns[i].tracked) continue;
        if (unknown(old, i) != unknown(fresh, i)) return false;
        if (!std::equal(is.begin(), is.end(), was.begin(), was.end())) return false;
    }
    return true;
}

void BatchBuilder::stay_open(Slot& slot, KeyState& state, std::uint32_t before) {
    TableChanges& changes = *slot.changes;
    Version& old = changes.versions[before];
    Version& fresh = changes.versions.back();
    --batch_.rows;
    if (!slot.table->tracks_all) {
        // What is not tracked is overwritten: the new row takes the old version's place.
        fresh.opened_by = old.opened_by;
        fresh.change_seq = old.change_seq;
        fresh.operation = old.operation;
        old.dropped = true;
        if (state.base_close == no_index) return;
        auto& close = changes.closes[state.base_close];
        if (close.unless_same_as == before) close.unless_same_as = state.open_version;
        return;
    }
    if (fresh.fill != no_index) {
        changes.bitmaps.resize(changes.fills.back().bitmap);
        changes.fills.pop_back();
    }
    changes.payload.resize(fresh.offset);
    changes.versions.pop_back();
    old.closed_by = no_index;
    state.open_version = before;
}

bool BatchBuilder::take_back(Slot& slot, KeyState& state, std::uint32_t version) {
    if (!slot.collapses || version == no_index) return false;
    TableChanges& changes = *slot.changes;
    Version& made = changes.versions[version];
    if (made.opened_by != current()) return false;
    made.dropped = true;
    --batch_.rows;
    if (state.base_close != no_index) {
        auto& close = changes.closes[state.base_close];
        if (close.unless_same_as == version) close.unless_same_as = no_index;
    }
    return true;
}

void BatchBuilder::append_tombstone(
    Slot& slot,
    KeyState& state,
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
    state.tombstone = version;
}

}  // namespace pgchronicle::history_writer
