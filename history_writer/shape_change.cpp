#include "history_writer/shape_change.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace pgchronicle::history_writer {

namespace {

const std::string& history_name(const HistoryTable& table, std::size_t source_column) {
    static const std::string excluded;
    const auto kept = table.kept[source_column];
    return kept < 0 ? excluded : table.columns[static_cast<std::size_t>(kept)].name;
}

bool is_same(const ShapeColumn& before, const source_catalog::Column& now) {
    if (before.number != 0 && now.number != 0) return before.number == now.number;
    return before.name == now.name;
}

/// A type as format_type() writes it, taken apart: "numeric(10,2)[]".
struct TypeText {
    std::string_view name;
    std::string_view tail;  ///< What stands behind the modifier: " without time zone", "[]".
    std::optional<int> first;
    std::optional<int> second;
};

TypeText take_apart(std::string_view text) {
    TypeText type;
    const auto open = text.find('(');
    if (open == std::string_view::npos) {
        const auto array = text.ends_with("[]") ? text.size() - 2 : text.size();
        type.name = text.substr(0, array);
        type.tail = text.substr(array);
        return type;
    }
    const auto close = text.find(')', open);
    type.name = text.substr(0, open);
    type.tail = text.substr(close + 1);
    const auto* at = text.data() + open + 1;
    const auto* const end = text.data() + close;
    const auto number = [&]() -> std::optional<int> {
        int value = 0;
        const auto [next, failed] = std::from_chars(at, end, value);
        if (failed != std::errc{}) return std::nullopt;
        at = next == end ? end : next + 1;
        return value;
    };
    type.first = number();
    if (at != end) type.second = number();
    return type;
}

/// Whether modifier `to` admits all that `from` admits; none admits everything.
bool no_narrower(std::optional<int> from, std::optional<int> to) {
    return !to || (from && *from <= *to);
}

}  // namespace

ShapeChange compare_shapes(
    const std::vector<ShapeColumn>& before,
    const source_catalog::Table& source,
    const HistoryTable& table
) {
    ShapeChange change;
    if (before.empty()) return change;
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        const auto& now = source.columns[i];
        const auto same =
            std::ranges::find_if(before, [&](const auto& b) { return is_same(b, now); });
        const auto& name = history_name(table, i);
        if (same == before.end()) {
            change.gained.push_back(i);
            continue;
        }
        if (same->type_sql != now.type_sql) change.retyped.push_back(i);
        if (name.empty() || name == same->history_name) continue;
        // A column that was excluded so far is new to the history, and nobody knows its values.
        if (same->history_name.empty()) {
            change.gained.push_back(i);
        } else {
            change.renamed.push_back({same->history_name, name});
        }
    }
    for (const auto& old : before) {
        const auto& columns = source.columns;
        if (std::ranges::none_of(columns, [&](const auto& now) { return is_same(old, now); })) {
            change.lost.push_back(old.name);
        }
    }
    return change;
}

bool may_be_later(
    const ShapeChange& change,
    const source_catalog::Table& source,
    std::int16_t highest
) {
    if (highest == 0) return false;
    const auto has_number = [&](int number) {
        return std::ranges::any_of(source.columns, [&](const auto& c) {
            return c.number == number;
        });
    };
    return std::ranges::any_of(change.gained, [&](std::size_t i) {
        const auto& column = source.columns[i];
        if (std::ranges::find(change.lost, column.name) != change.lost.end()) return true;
        // Numbers are given one after the other, and not given back.
        for (int number = highest + 1; number < column.number; ++number) {
            if (!has_number(number)) return true;
        }
        return false;
    });
}

void undo_later_renames(
    source_catalog::Table& source,
    const std::vector<ShapeColumn>& before,
    const ColumnNumbers& now
) {
    auto& columns = source.columns;
    // The number that a column of this name had, where that is another one.
    const auto former = [&](const source_catalog::Column& column) -> std::int16_t {
        const auto same = std::ranges::find(before, column.name, &ShapeColumn::name);
        if (column.number == 0 || same == before.end()) return 0;
        return same->type_sql == column.type_sql ? same->number : std::int16_t{0};
    };
    const auto shown = [&](const std::string& name) {
        return std::ranges::find(columns, name, &source_catalog::Column::name) != columns.end();
    };
    for (auto& column : columns) {
        const auto number = former(column);
        if (number == 0) continue;
        const auto renamed = std::ranges::find_if(now, [&](const auto& c) {
            return c.second == number && c.first != column.name;
        });
        if (renamed != now.end() && !shown(renamed->first)) column.number = number;
    }
    std::int16_t last = 0;
    const bool in_order = std::ranges::all_of(columns, [&](const auto& column) {
        return column.number == 0 || std::exchange(last, column.number) < column.number;
    });
    if (in_order) return;
    for (auto& column : columns) {
        if (const auto number = former(column); number != 0) column.number = number;
    }
}

void infer_numbers(source_catalog::Table& source, const std::vector<ShapeColumn>& before) {
    std::int16_t highest = 0;
    for (const auto& column : before) highest = std::max(highest, column.number);
    std::vector<source_catalog::Column*> unknown;
    for (auto& column : source.columns) {
        if (column.number == 0) {
            const auto same = std::ranges::find(before, column.name, &ShapeColumn::name);
            if (same != before.end() && same->type_sql == column.type_sql) {
                column.number = same->number;
            }
        }
        if (column.number == 0) unknown.push_back(&column);
    }
    if (highest == 0) return;
    std::vector<std::int16_t> free;
    for (int number = highest + 1; number <= source.last_number; ++number) {
        const auto taken = std::ranges::find(
            source.columns, static_cast<std::int16_t>(number), &source_catalog::Column::number
        );
        if (taken == source.columns.end()) free.push_back(static_cast<std::int16_t>(number));
    }
    if (free.size() != unknown.size()) return;
    for (std::size_t i = 0; i < free.size(); ++i) unknown[i]->number = free[i];
}

std::vector<ShapeColumn> shape_of(const source_catalog::Table& source, const HistoryTable& table) {
    std::vector<ShapeColumn> shape;
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        const auto& column = source.columns[i];
        shape.push_back({column.name, column.number, column.type_sql, history_name(table, i)});
    }
    return shape;
}

bool widens(const std::string& from, const std::string& to) {
    const auto a = take_apart(from);
    const auto b = take_apart(to);
    if (a.tail != b.tail) return false;
    const bool same_name = a.name == b.name;
    if (same_name && a.name == "numeric") {
        // Another scale prints other digits; more digits in front do not.
        return !b.first || (a.first && *a.first <= *b.first && a.second == b.second);
    }
    constexpr std::array lengths{
        "character varying", "bit varying", "timestamp", "time", "interval"};
    if (same_name && std::ranges::find(lengths, a.name) != lengths.end()) {
        return no_narrower(a.first, b.first);
    }
    if (a.name == "character varying" && b.name == "text") return true;
    if (a.name == "text" && b.name == "character varying") return !b.first;
    constexpr std::array integers{"smallint", "integer", "bigint"};
    const auto wide = [&](std::string_view name) {
        return std::ranges::find(integers, name) - integers.begin();
    };
    const auto none = static_cast<std::ptrdiff_t>(integers.size());
    if (wide(a.name) == none) return false;
    if (b.name == "numeric") return !b.first;
    return wide(b.name) != none && wide(a.name) <= wide(b.name);
}

}  // namespace pgchronicle::history_writer
