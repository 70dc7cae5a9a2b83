#include "reading/row_history.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/wide_keys.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgchronicle::reading {
namespace {

using pq::quote_identifier;

/// Of our own columns, in the order in which they are read.
constexpr int first_value = 7;

/// The types of the key's columns as casts name them: without a length, which would cut the value.
std::vector<std::string>
cast_types(pq::Connection& target, const std::vector<Column>& key_columns) {
    std::vector<std::string> types;
    for (const Column& column : key_columns) {
        const auto row = target.exec(
            "SELECT pg_catalog.format_type($1::oid, -1)", {std::to_string(column.type_oid)}
        );
        types.push_back(row.str(0, 0));
    }
    return types;
}

/// The condition that finds the key, as the writer's index has it.
std::string key_condition(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<std::string>& types
) {
    history_writer::HistoryTable lookup;
    lookup.target_schema = table.target_schema;
    lookup.target_table = table.target_table;
    for (std::size_t i = 0; i < table.row_key.size(); ++i) {
        lookup.columns.push_back({table.row_key[i], table.row_key[i], types[i]});
        lookup.key.push_back(static_cast<std::uint16_t>(i));
    }
    lookup.key_hashed = history_writer::pg::keys_are_hashed(target, lookup);
    return history_writer::pg::key_matches(lookup, "", [&](std::size_t i) {
        return fmt::format("${}::{}", i + 1, types[i]);
    });
}

std::string versions_sql(const HistoryTable& table, const std::string& condition) {
    const auto own = table.names.in_order();
    static_assert(own.size() == first_value);
    std::string list;
    for (const std::string& name : own) {
        list += (list.empty() ? "" : ", ") + quote_identifier(name);
    }
    for (const Column& column : table.columns) list += ", " + quote_identifier(column.name);
    return fmt::format(
        "SELECT {} FROM {} WHERE {}",
        list,
        pq::quote_qualified(table.target_schema, table.target_table),
        condition
    );
}

/// " AND (lsn_from, change_seq) > (...)". The place is ours, and no text.
std::string beside(const HistoryTable& table, const char* comparison, const VersionPlace& place) {
    return fmt::format(
        " AND ({}, {}) {} ('{}'::pg_lsn, {}::bigint)",
        quote_identifier(table.names.lsn_from),
        quote_identifier(table.names.change_seq),
        comparison,
        to_string(place.lsn),
        place.change_seq
    );
}

std::string order_by(const HistoryTable& table, const char* direction, std::uint64_t count_max) {
    auto sql = fmt::format(
        " ORDER BY {0} {2}, {1} {2}",
        quote_identifier(table.names.lsn_from),
        quote_identifier(table.names.change_seq),
        direction
    );
    if (count_max != 0) sql += fmt::format(" LIMIT {}", count_max);
    return sql;
}

Version version_of(const pq::Result& result, int row) {
    Version version{
        .valid_from = result.str(row, 0),
        .valid_to = value_of(result, row, 1),
        .is_current = result.boolean(row, 2),
        .operation_type = result.str(row, 3),
        .lsn_from = pgoutput::parse_lsn(result.text(row, 4)).value_or(pgoutput::Lsn{}),
        .lsn_to = pgoutput::parse_lsn(result.text(row, 5)),
        .change_seq = result.int64(row, 6),
        .changed = {},
        .values = {},
    };
    for (int column = first_value; column < result.columns(); ++column) {
        version.values.push_back(value_of(result, row, column));
    }
    return version;
}

void mark_changes(const HistoryTable& table, const Version& before, Version& version) {
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
        if (version.values[column] == before.values[column]) continue;
        version.changed.push_back(table.columns[column].name);
    }
}

/// Reads the page; `sql` finds every version of the row.
void read_versions(
    pq::Connection& target,
    const HistoryTable& table,
    const std::string& sql,
    const std::vector<pq::Param>& params,
    const VersionPage& page,
    RowHistory& row
) {
    std::optional<Version> before;
    Held held{page.limit};
    auto page_sql = sql;
    if (page.after) {
        const auto last = sql + beside(table, "<=", *page.after) + order_by(table, "DESC", 1);
        target.each_row(last, params, [&](const pq::Result& result) {
            held.add(result);
            if (result.rows() > 0) before = version_of(result, 0);
        });
        page_sql += beside(table, ">", *page.after);
    }
    // One more tells whether there is another page.
    page_sql += order_by(table, "ASC", page.versions_max == 0 ? 0 : page.versions_max + 1);
    target.each_row(page_sql, params, [&](const pq::Result& result) {
        held.add(result);
        for (int i = 0; i < result.rows(); ++i) {
            if (page.versions_max != 0 && row.versions.size() == page.versions_max) {
                row.next =
                    VersionPlace{row.versions.back().lsn_from, row.versions.back().change_seq};
                return;
            }
            auto version = version_of(result, i);
            if (!row.versions.empty()) {
                mark_changes(table, row.versions.back(), version);
            } else if (before) {
                mark_changes(table, *before, version);
            }
            row.versions.push_back(std::move(version));
        }
    });
}

/// The key as the server writes it: what was asked for may be spelt in other ways, 01 for 1.
std::vector<std::string> server_form(
    pq::Connection& target,
    const HistoryTable& table,
    const RowHistory& row,
    const std::vector<std::string>& types,
    const std::vector<pq::Param>& params
) {
    std::vector<std::string> key;
    if (!row.versions.empty()) {
        for (const auto& name : table.row_key) {
            const auto column = std::ranges::find(table.columns, name, &Column::name);
            const auto at = static_cast<std::size_t>(column - table.columns.begin());
            const auto& value = row.versions.front().values.at(at);
            if (!value) return row.key;
            key.push_back(*value);
        }
        return key;
    }
    std::string list;
    for (std::size_t i = 0; i < types.size(); ++i) {
        list += fmt::format("{}${}::{}", i == 0 ? "" : ", ", i + 1, types[i]);
    }
    const auto cast = target.exec("SELECT " + list, params);
    for (int column = 0; column < cast.columns(); ++column) key.push_back(cast.str(0, column));
    return key;
}

void require_key(const HistoryTable& table, const std::vector<std::string>& key) {
    const auto& names = table.names;
    if (table.columns.empty()) {
        throw Error{
            {.kind = ErrorKind::not_ready,
             .primary = fmt::format("history of table \"{}\" does not exist", table.name()),
             .detail = fmt::format("There is no table \"{}\" in the target.", table.history_name()),
             .hint = {}}};
    }
    if (table.row_key.empty()) {
        throw bad_request(
            fmt::format("table \"{}\" has no key", table.name()),
            "A row of it is known by all of its values, and rows may be identical.",
            fmt::format(
                "Query the target: SELECT * FROM {} WHERE ... ORDER BY {}, {};",
                pq::quote_qualified(table.target_schema, table.target_table),
                quote_identifier(names.lsn_from),
                quote_identifier(names.change_seq)
            )
        );
    }
    if (table.row_key.size() == key.size()) return;
    std::string columns;
    for (const auto& name : table.row_key) columns += (columns.empty() ? "" : ", ") + name;
    throw bad_request(
        fmt::format("key of table \"{}\" has {} columns", table.name(), table.row_key.size()),
        fmt::format("They are {}; {} values were given.", columns, key.size())
    );
}

}  // namespace

RowHistory read_row_history(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<std::string>& key,
    const VersionPage& page
) {
    require_key(table, key);
    const auto types = cast_types(target, table.key_columns());
    if (types.size() != key.size()) {
        throw Error{
            {.kind = ErrorKind::not_ready,
             .primary = fmt::format("key of table \"{}\" has changed just now", table.name()),
             .hint = "Ask again."}};
    }
    std::vector<pq::Param> params;
    params.reserve(key.size());
    for (const std::string& value : key) params.push_back(pq::Param::text(value));
    RowHistory row{.key = key, .versions = {}, .next = {}};
    try {
        const auto sql = versions_sql(table, key_condition(target, table, types));
        read_versions(target, table, sql, params, page, row);
        row.key = server_form(target, table, row, types, params);
    } catch (const pq::Error& error) {
        constexpr const char* data_exception = "22";
        if (!error.sqlstate().starts_with(data_exception)) throw;
        throw bad_request(
            fmt::format("key does not fit table \"{}\": {}", table.name(), error.primary()),
            error.detail()
        );
    }
    return row;
}

}  // namespace pgchronicle::reading
