#include "history_writer/pg/key_order.hpp"

#include "history_writer/copy_row.hpp"
#include "history_writer/kept_memory.hpp"

#include <algorithm>
#include <compare>
#include <numeric>

namespace pgchronicle::history_writer::pg {

namespace {

constexpr std::size_t kept_bytes_max = 1U << 20U;

using Field = std::span<const std::byte>;

/// Field `k` of a close's key, without its length.
Field neutral_field(Field key, std::size_t k) {
    for (;; --k) {
        const auto length = read_int32(key.data());
        const auto size = length < 0 ? 0 : static_cast<std::size_t>(length);
        key = key.subspan(sizeof(std::int32_t));
        if (k == 0) return key.first(size);
        key = key.subspan(size);
    }
}

/// Column `column` of a row as COPY takes it, without its length. Escapes and ends of text stay.
Field row_field(Field row, std::size_t column, WireForm form) {
    const auto field = field_of(row, column, form);
    return form == WireForm::binary ? field.subspan(sizeof(std::int32_t)) : field;
}

template <typename FieldOf>
std::uint64_t prefix_of(std::size_t key_columns, const FieldOf& field) {
    std::uint64_t prefix = 0;
    std::size_t room = sizeof prefix;
    for (std::size_t k = 0; k < key_columns && room > 0; ++k) {
        const Field bytes = field(k);
        for (std::size_t i = 0; i < bytes.size() && room > 0; ++i, --room) {
            prefix |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * (room - 1));
        }
    }
    return prefix;
}

}  // namespace

template <typename FieldAt>
void KeyOrder::sort(std::size_t key_columns, const FieldAt& field) {
    for (auto& entry : entries_) {
        entry.prefix = prefix_of(key_columns, [&](std::size_t k) { return field(entry.index, k); });
    }
    const auto before = [&](const Entry& a, const Entry& b) {
        if (a.prefix != b.prefix) return a.prefix < b.prefix;
        for (std::size_t k = 0; k < key_columns; ++k) {
            const Field left = field(a.index, k);
            const Field right = field(b.index, k);
            const auto order = std::lexicographical_compare_three_way(
                left.begin(), left.end(), right.begin(), right.end()
            );
            if (order != std::strong_ordering::equal) return order < 0;
        }
        return a.index < b.index;
    };
    // What is inserted usually comes in the order of its keys.
    if (!std::ranges::is_sorted(entries_, before)) std::ranges::sort(entries_, before);
    order_.clear();
    for (const auto& entry : entries_) order_.push_back(entry.index);
}

std::span<const std::uint32_t> KeyOrder::closes(const TableChanges& changes) {
    entries_.clear();
    for (std::uint32_t i = 0; i < changes.closes.size(); ++i) {
        if (changes.closes[i].closed_by != no_index) entries_.push_back({0, i});
    }
    sort(changes.table->key.size(), [&](std::uint32_t i, std::size_t k) {
        const Close& close = changes.closes[i];
        return neutral_field(Field{changes.keys}.subspan(close.offset, close.size), k);
    });
    return order_;
}

std::span<const std::uint32_t> KeyOrder::versions(const TableChanges& changes, WireForm form) {
    const auto count = changes.versions.size();
    if (!changes.table->keyed) {
        order_.resize(count);
        std::iota(order_.begin(), order_.end(), 0U);
        return order_;
    }
    entries_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) entries_[i].index = i;
    const auto& key = changes.table->key;
    sort(key.size(), [&](std::uint32_t i, std::size_t k) {
        const Version& version = changes.versions[i];
        const auto row = Field{changes.payload}.subspan(version.offset, version.size);
        return row_field(row, key[k], form);
    });
    return order_;
}

void KeyOrder::give_back() {
    clear_within(entries_, kept_bytes_max);
    clear_within(order_, kept_bytes_max);
}

}  // namespace pgchronicle::history_writer::pg
