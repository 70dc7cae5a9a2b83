#include "verify/compared_table.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace pgchronicle::verify {
namespace {

using history_writer::HistoryColumn;
using history_writer::HistoryTable;
using history_writer::ShapeColumn;
using pq::quote_identifier;

std::string column_of_t(const std::string& name) {
    return "t." + quote_identifier(name);
}

std::string source_relation(const source_catalog::Table& source) {
    constexpr char partitioned = 'p';
    return (source.kind == partitioned ? "" : "ONLY ") +
           pq::quote_qualified(source.schema_name, source.name);
}

/// What the history of `facts` says of the LSN: as its as_of_lsn function, which may be lost.
Side history_side(const HistoryFacts& facts, const CompareAt& at) {
    Side side;
    side.from = pq::quote_qualified(facts.schema, facts.table);
    side.where = fmt::format(
        "t.{0} <= '{2}'::pg_lsn AND (t.{1} > '{2}'::pg_lsn OR t.{1} IS NULL)",
        quote_identifier(at.names.lsn_from),
        quote_identifier(at.names.lsn_to),
        to_string(at.lsn)
    );
    side.lsn_from = column_of_t(at.names.lsn_from);
    side.form = at.form;
    side.sample = at.sample;
    return side;
}

std::string lost(const std::string& column) {
    return fmt::format("its history has lost column \"{}\"", column);
}

/// The shape's column with this number or, where numbers are not known, with this name.
const ShapeColumn* recorded(const HistoryFacts& facts, const source_catalog::Column& column) {
    const auto by_number = std::ranges::find(facts.shape, column.number, &ShapeColumn::number);
    if (column.number != 0 && by_number != facts.shape.end()) return &*by_number;
    const auto by_name = std::ranges::find_if(facts.shape, [&](const ShapeColumn& known) {
        return known.number == 0 && known.name == column.name;
    });
    return by_name == facts.shape.end() ? nullptr : &*by_name;
}

/// Where the column's values are in the history; nothing where it has none of it.
std::optional<std::string> history_name(
    const HistoryFacts& facts,
    const source_catalog::Column& column,
    const HistoryColumn& planned,
    ComparedTable& table
) {
    const auto* const known = recorded(facts, column);
    if (known == nullptr) {
        table.left_out.push_back(
            {planned.name, "it is newer than the history, and comes with the table's next change"}
        );
        return std::nullopt;
    }
    if (known->history_name.empty()) {
        table.left_out.push_back({planned.name, "it was excluded when the history was written"});
        return std::nullopt;
    }
    if (!facts.columns.contains(known->history_name)) {
        table.trouble = lost(known->history_name);
        return std::nullopt;
    }
    return known->history_name;
}

bool has_spellings(const HistoryColumn& column) {
    return column.equality != history_writer::KeyEquality::bytes;
}

}  // namespace

ComparedTable plan_comparison(
    const source_catalog::Table& source,
    const HistoryTable& planned,
    const HistoryFacts& facts,
    const CompareAt& at
) {
    ComparedTable table;
    table.source.from = source_relation(source);
    table.source.where = source.row_filter.value_or("");
    table.source.form = at.form;
    table.source.sample = at.sample;
    table.history = history_side(facts, at);
    table.begins_known = planned.on_unknown_key == config::OnUnknownKey::stop;
    table.collapses = planned.collapse;
    for (const auto& own : at.names.in_order()) {
        if (!facts.columns.contains(own)) table.trouble = lost(own);
    }
    std::vector<std::optional<std::string>> names;
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        if (planned.kept[i] < 0) continue;
        const auto& column = planned.columns[static_cast<std::size_t>(planned.kept[i])];
        const auto& name =
            names.emplace_back(history_name(facts, source.columns[i], column, table));
        if (!name) continue;
        if (!column.tracked) {
            table.left_out.push_back({*name, "it is not tracked, and is overwritten in place"});
            continue;
        }
        table.columns.push_back(*name);
        if (!column.stored_as_text) table.lasting_columns.push_back(*name);
        table.source.columns.push_back(column_of_t(column.source_name));
        table.history.columns.push_back(column_of_t(*name));
    }
    for (const auto k : planned.key) {
        const auto& column = planned.columns[k];
        if (!names[k]) {
            table.trouble = fmt::format("its history has no column \"{}\" of the key", column.name);
            return table;
        }
        table.key.push_back(*names[k]);
        table.source.key.push_back(column_of_t(column.source_name));
        table.history.key.push_back(column_of_t(*names[k]));
        table.key_has_spellings = table.key_has_spellings || has_spellings(column);
    }
    if (table.trouble.empty() && table.key != facts.row_key) {
        table.trouble = "its row key has changed";
    }
    // Rows without a key that look alike are one and the same to us: their past tells nothing.
    if (at.tells_past && !table.key.empty()) {
        table.history.ever =
            fmt::format("{} <= '{}'::pg_lsn", column_of_t(at.names.lsn_from), to_string(at.lsn));
    }
    return table;
}

ComparedTable plan_leftover(const HistoryFacts& facts, const CompareAt& at) {
    ComparedTable table;
    table.history = history_side(facts, at);
    // A source column may not have such a name, so each tells ours from the source's.
    const auto own = at.names.in_order();
    for (const auto& name : facts.columns) {
        if (std::ranges::find(own, name) != own.end()) continue;
        table.columns.push_back(name);
        table.history.columns.push_back(column_of_t(name));
    }
    table.key = facts.row_key;
    for (const auto& name : facts.row_key) table.history.key.push_back(column_of_t(name));
    table.key_has_spellings = true;  // Its types are not known any more.
    // Nothing, in the same form.
    std::string none;
    for (const auto& name : table.columns) {
        none += (none.empty() ? "" : ", ") + ("NULL::text AS " + quote_identifier(name));
    }
    table.source = table.history;
    table.source.from = "(SELECT " + none + " WHERE false)";
    table.source.where.clear();
    table.source.lsn_from = Side{}.lsn_from;
    return table;
}

}  // namespace pgchronicle::verify
