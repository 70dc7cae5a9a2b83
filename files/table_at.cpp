#include "files/table_at.hpp"

#include "files/error.hpp"
#include "pq/array_text.hpp"
#include "pq/quoting.hpp"
#include "reading/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace pgchronicle::files {
namespace {

using pgoutput::Lsn;
using pq::quote_identifier;
using pq::quote_literal;
using reading::HistoryTable;

std::string relation_of(const HistoryTable& table) {
    return pq::quote_qualified(table.target_schema, table.target_table);
}

Lsn lsn_of(const pq::Result& result, int row, int column) {
    return pgoutput::parse_lsn(result.text(row, column)).value_or(Lsn{});
}

/// The moment as a literal of its type.
std::string literal_of(const FileMoment& moment) {
    return moment.lsn ? fmt::format("'{}'::pg_lsn", to_string(*moment.lsn))
                      : quote_literal(moment.time) + "::timestamptz";
}

/// Where a version begins and ends, in the kind of time that the moment is.
struct Interval {
    std::string from;
    std::string to;
};

Interval interval_of(const HistoryTable& table, const FileMoment& moment) {
    const auto& names = table.names;
    return {
        quote_identifier(moment.lsn ? names.lsn_from : names.valid_from),
        quote_identifier(moment.lsn ? names.lsn_to : names.valid_to)};
}

/// As the as-of functions guard themselves.
void require_complete(pq::Connection& target, const HistoryTable& table, const FileMoment& moment) {
    try {
        const auto known = target.exec(
            fmt::format("SELECT pgchronicle.require_consistent($1, $2, {})", literal_of(moment)),
            {table.target_schema, table.target_table}
        );
        if (!known.null(0, 0)) return;
    } catch (const pq::Error& error) {
        constexpr const char* not_in_prerequisite_state = "55000";
        if (error.sqlstate() != not_in_prerequisite_state) throw;
        throw Error{
            {.fault = Fault::not_ready,
             .primary = error.primary(),
             .detail = error.detail(),
             .hint = error.hint()}};
    }
    throw Error{
        {.fault = Fault::not_ready,
         .primary = fmt::format("history of table \"{}\" is not complete yet", table.name()),
         .hint = "Its rows are still to be copied from the source; see \"pgchronicle status\"."}};
}

Lsn last_change(pq::Connection& target, const HistoryTable& table, const FileMoment& moment) {
    if (moment.lsn) return *moment.lsn;
    const auto row = target.exec(fmt::format(
        "SELECT max({}) FROM {} WHERE {} <= {}",
        quote_identifier(table.names.lsn_from),
        relation_of(table),
        quote_identifier(table.names.valid_from),
        literal_of(moment)
    ));
    return row.null(0, 0) ? table.consistent_from.value_or(Lsn{}) : lsn_of(row, 0, 0);
}

/// Name then, type then, name now; of the shape that was in force, or else the first.
pq::Result shape_at(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    Lsn lsn
) {
    return target.exec(
        "WITH shape AS (SELECT s.* FROM pgchronicle.relation_shape s WHERE pipeline = $1"
        " AND ((source_schema, source_table) = ($2, $3) OR relation_id = (SELECT relation_id"
        " FROM pgchronicle.table_state WHERE pipeline = $1 AND (source_schema, source_table) ="
        " ($2, $3)))), chosen AS (SELECT * FROM shape ORDER BY lsn <= $4::pg_lsn DESC,"
        " CASE WHEN lsn <= $4::pg_lsn THEN lsn END DESC NULLS LAST, lsn LIMIT 1)"
        " SELECT c->>'history', c->>'type', coalesce((SELECT n->>'history' FROM"
        " (SELECT columns FROM shape WHERE relation_id = chosen.relation_id"
        " ORDER BY lsn DESC LIMIT 1) last, jsonb_array_elements(last.columns) AS e(n)"
        " WHERE n->>'number' = c->>'number' AND c->>'number' <> '0' AND n->>'history' <> ''"
        " LIMIT 1), c->>'history')"
        " FROM chosen, jsonb_array_elements(chosen.columns) WITH ORDINALITY AS e(c, i)"
        " WHERE c->>'history' <> '' ORDER BY i",
        {settings.pipeline, table.source_schema, table.source_table, to_string(lsn)}
    );
}

/// Of an imported table: the columns of the last file by then.
std::vector<std::string> imported_columns(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const FileMoment& moment
) {
    const auto row = target.exec(
        fmt::format(
            "SELECT columns FROM pgchronicle.import WHERE pipeline = $1 AND source_schema = $2"
            " AND source_table = $3 AND {} <= {} ORDER BY id DESC LIMIT 1",
            moment.lsn ? "lsn" : "recorded_at",
            literal_of(moment)
        ),
        {settings.pipeline, table.source_schema, table.source_table}
    );
    if (row.rows() == 0) return {};
    return pq::parse_array_text(row.text(0, 0));
}

/// What a later change of the table's shape has added is left out: a second export of the moment
/// has the columns of the first.
std::vector<TableAt::Column> columns_at(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const FileMoment& moment,
    Lsn lsn
) {
    std::vector<TableAt::Column> columns;
    const auto add = [&](std::string name, std::string type, std::string history) {
        const auto* const now = table.find_column(history);
        if (now == nullptr) return;
        if (type.empty()) type = now->type;
        columns.push_back({std::move(name), std::move(type), std::move(history), now->type_oid});
    };
    if (table.imported) {
        for (const auto& name : imported_columns(target, settings, table, moment)) {
            add(name, "", name);
        }
    } else {
        const auto shape = shape_at(target, settings, table, lsn);
        for (int i = 0; i < shape.rows(); ++i)
            add(shape.str(i, 0), shape.str(i, 1), shape.str(i, 2));
    }
    if (!columns.empty()) return columns;
    // Older versions have recorded none.
    for (const auto& column : table.columns) add(column.name, column.type, column.name);
    return columns;
}

/// Texts in the order of their bytes: that of a collation may change with the system's libraries.
std::string order_of(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<TableAt::Column>& columns
) {
    std::string order;
    if (table.row_key.empty()) {
        for (const auto& column : columns) {
            order += (order.empty() ? "" : ", ") + ("h." + quote_identifier(column.history));
        }
        return "ROW(" + order + ")::text COLLATE \"C\"";
    }
    const auto collated = target.exec(
        "SELECT attname FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass($1) AND attcollation <> 0 AND attnum > 0",
        {relation_of(table)}
    );
    for (const auto& name : table.row_key) {
        bool has_collation = false;
        for (int i = 0; i < collated.rows(); ++i) has_collation |= collated.text(i, 0) == name;
        order += (order.empty() ? "h." : ", h.") + quote_identifier(name) +
                 (has_collation ? " COLLATE \"C\"" : "");
    }
    return order;
}

std::string select_of(
    const HistoryTable& table,
    const std::vector<TableAt::Column>& columns,
    const FileMoment& moment,
    const std::string& order
) {
    std::string list;
    for (const auto& column : columns) {
        list += fmt::format(
            "{}h.{} AS {}",
            list.empty() ? "" : ", ",
            quote_identifier(column.history),
            quote_identifier(column.name)
        );
    }
    const auto [from, to] = interval_of(table, moment);
    return fmt::format(
        "SELECT {} FROM {} h WHERE h.{} <= {} AND (h.{} > {} OR h.{} IS NULL) ORDER BY {}",
        list,
        relation_of(table),
        from,
        literal_of(moment),
        to,
        literal_of(moment),
        to,
        order
    );
}

/// Between which LSNs a moment lies: after every transaction that belongs to it, before every
/// other.
std::pair<Lsn, Lsn>
bounds_of(pq::Connection& target, const config::Settings& settings, const FileMoment& moment) {
    if (moment.lsn) return {*moment.lsn, *moment.lsn};
    const auto checkpoint = reading::read_checkpoint(target, settings.pipeline);
    std::pair<Lsn, Lsn> bounds{Lsn{}, checkpoint ? checkpoint->position : Lsn{}};
    for (const auto& table : reading::history_tables(target, settings)) {
        if (table.imported || table.columns.empty()) continue;
        const auto row = target.exec(fmt::format(
            "SELECT max({0}) FILTER (WHERE {1} <= {2}), min({0}) FILTER (WHERE {1} > {2}) FROM {3}",
            quote_identifier(table.names.lsn_from),
            quote_identifier(table.names.valid_from),
            literal_of(moment),
            relation_of(table)
        ));
        if (!row.null(0, 0)) bounds.first = std::max(bounds.first, lsn_of(row, 0, 0));
        if (!row.null(0, 1)) bounds.second = std::min(bounds.second, lsn_of(row, 0, 1));
    }
    return bounds;
}

std::vector<Manifest::Gap> gaps_at(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const FileMoment& moment
) {
    std::vector<Manifest::Gap> gaps;
    if (table.imported) return gaps;
    const auto rows = target.exec(
        "SELECT reason, from_lsn, to_lsn, repaired_at IS NULL AND reason IN"
        " ('not_published', 'quarantined') FROM pgchronicle.gap WHERE pipeline = $1"
        " AND (source_table IS NULL OR (source_schema, source_table) = ($2, $3)) ORDER BY id",
        {settings.pipeline, table.source_schema, table.source_table}
    );
    if (rows.rows() == 0) return gaps;
    const auto [low, high] = bounds_of(target, settings, moment);
    for (int i = 0; i < rows.rows(); ++i) {
        Manifest::Gap gap{rows.str(i, 0), lsn_of(rows, i, 1), lsn_of(rows, i, 2)};
        if (rows.boolean(i, 3)) gap.to.reset();
        // A value that nobody knows stays unknown, in the version that it is of.
        const bool touches = gap.reason == "value_unknown"
                                 ? gap.from <= low
                                 : gap.from < high && (!gap.to || *gap.to > low);
        if (touches) gaps.push_back(std::move(gap));
    }
    return gaps;
}

}  // namespace

bool begins_after(pq::Connection& target, const HistoryTable& table, const FileMoment& moment) {
    if (moment.lsn) return table.consistent_from && *table.consistent_from > *moment.lsn;
    if (!table.consistent_from_time) return false;
    return target
        .exec(
            "SELECT $1::timestamptz > $2::timestamptz", {*table.consistent_from_time, moment.time}
        )
        .boolean(0, 0);
}

EndedTables ended_tables(
    pq::Connection& target,
    const config::Settings& settings,
    const std::vector<HistoryTable>& tables,
    const FileMoment& moment
) {
    EndedTables ended;
    std::optional<Lsn> low;
    for (const auto& table : tables) {
        if (table.state != "ended") continue;
        // Its relation has a shape under another name from the transaction on that renamed it.
        const auto row = target.exec(
            "SELECT min(s.lsn) FROM pgchronicle.table_state t JOIN pgchronicle.relation_shape s"
            " USING (pipeline, relation_id) WHERE pipeline = $1"
            " AND (t.source_schema, t.source_table) = ($2, $3) AND s.lsn > t.begins_at"
            " AND (s.source_schema, s.source_table) <> ($2, $3)",
            {settings.pipeline, table.source_schema, table.source_table}
        );
        const bool readable = table.consistent_from && !table.columns.empty();
        if (!low) low = bounds_of(target, settings, moment).first;
        if (row.null(0, 0) || (lsn_of(row, 0, 0) > *low && !readable)) {
            ended.unknown.push_back(table.name());
        } else if (lsn_of(row, 0, 0) <= *low) {
            ended.by_then.push_back(table.name());
        }
    }
    return ended;
}

TableAt read_table_at(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const FileMoment& moment
) {
    require_complete(target, table, moment);
    TableAt at;
    at.lsn = last_change(target, table, moment);
    at.columns = columns_at(target, settings, table, moment, at.lsn);
    at.gaps = gaps_at(target, settings, table, moment);
    for (const auto& key : table.row_key) {
        const auto found = std::ranges::find(at.columns, key, &TableAt::Column::history);
        if (found != at.columns.end()) at.row_key.push_back(found->name);
    }
    at.select = select_of(table, at.columns, moment, order_of(target, table, at.columns));
    return at;
}

std::string day_of_last_change(
    pq::Connection& target,
    const std::vector<HistoryTable>& tables,
    Lsn lsn,
    const std::string& time_zone
) {
    std::string all;
    for (const auto& table : tables) {
        if (table.imported) continue;
        all += fmt::format(
            "{}SELECT max({}) AS t FROM {} WHERE {} <= '{}'",
            all.empty() ? "" : " UNION ALL ",
            quote_identifier(table.names.valid_from),
            relation_of(table),
            quote_identifier(table.names.lsn_from),
            to_string(lsn)
        );
    }
    if (all.empty()) return "";
    return target
        .exec(
            "SELECT coalesce(to_char(max(t) AT TIME ZONE $1, 'YYYY-MM-DD'), '') FROM (" + all +
                ") AS last",
            {time_zone}
        )
        .str(0, 0);
}

}  // namespace pgchronicle::files
