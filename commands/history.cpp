#include "commands/history.hpp"

#include "commands/connect.hpp"
#include "commands/refusal.hpp"
#include "commands/row_versions.hpp"
#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/wide_keys.hpp"
#include "pq/array_text.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace pgchronicle::commands {
namespace {

/// A history table as pgchronicle.table_state and the catalog describe it.
struct Found {
    std::string source;  ///< schema.table
    std::string schema;
    std::string table;
    std::vector<std::string> key;
    std::vector<std::string> columns;  ///< The source's.
    std::vector<std::string> types;    ///< Of the key's columns.
};

/// The tables of the pipeline that `name` may mean.
std::vector<Found>
find_tables(pq::Connection& target, const std::string& pipeline, const std::string& name) {
    const auto rows = target.exec(
        "SELECT source_schema || '.' || source_table, target_schema, target_table, row_key"
        " FROM pgchronicle.table_state WHERE pipeline = $1"
        " AND $2 IN (source_schema || '.' || source_table, source_table)"
        // The whole name is meant where both fit: a table may be called "a.b".
        " ORDER BY $2 = source_schema || '.' || source_table DESC, 1",
        {pipeline, name}
    );
    std::vector<Found> tables;
    tables.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) {
        tables.push_back(
            {.source = rows.str(row, 0),
             .schema = rows.str(row, 1),
             .table = rows.str(row, 2),
             .key = pq::parse_array_text(rows.text(row, 3)),
             .columns = {},
             .types = {}}
        );
    }
    if (!tables.empty() && tables.front().source == name) tables.resize(1);
    return tables;
}

std::vector<std::string> own_columns(const config::HistoryColumnNames& names) {
    return {
        names.valid_from,
        names.valid_to,
        names.is_current,
        names.operation_type,
        names.lsn_from,
        names.lsn_to,
        names.change_seq,
    };
}

void read_columns(pq::Connection& target, const config::HistoryColumnNames& names, Found& found) {
    const auto rows = target.exec(
        "SELECT a.attname, format_type(a.atttypid, -1) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum",
        {found.schema, found.table}
    );
    const auto own = own_columns(names);
    found.types.resize(found.key.size());
    for (int row = 0; row < rows.rows(); ++row) {
        const std::string name = rows.str(row, 0);
        const auto key = std::ranges::find(found.key, name);
        if (key != found.key.end()) {
            found.types[static_cast<std::size_t>(key - found.key.begin())] = rows.str(row, 1);
        }
        if (std::ranges::find(own, name) == own.end()) found.columns.push_back(name);
    }
}

/// What looking up a key has to know of the table.
history_writer::HistoryTable lookup_table(pq::Connection& target, const Found& found) {
    history_writer::HistoryTable table;
    table.target_schema = found.schema;
    table.target_table = found.table;
    for (std::size_t i = 0; i < found.key.size(); ++i) {
        table.columns.push_back({found.key[i], found.key[i], found.types[i]});
        table.key.push_back(static_cast<std::uint16_t>(i));
    }
    table.key_hashed = history_writer::pg::keys_are_hashed(target, table);
    return table;
}

std::string
versions_sql(pq::Connection& target, const Found& found, const config::HistoryColumnNames& names) {
    std::string sql = "SELECT ";
    for (const auto& name :
         {names.valid_from,
          names.valid_to,
          names.operation_type,
          names.lsn_from,
          names.change_seq}) {
        sql += pq::quote_identifier(name) + ", ";
    }
    for (const auto& column : found.columns) sql += pq::quote_identifier(column) + ", ";
    sql.resize(sql.size() - 2);
    const auto matches =
        history_writer::pg::key_matches(lookup_table(target, found), "", [&](std::size_t i) {
            return fmt::format("${}::{}", i + 1, found.types[i]);
        });
    return sql + " FROM " + pq::quote_qualified(found.schema, found.table) + " WHERE " + matches +
           " ORDER BY " + pq::quote_identifier(names.lsn_from) + ", " +
           pq::quote_identifier(names.change_seq);
}

std::string title_of(const Found& found, const std::vector<std::string>& key) {
    std::string title = found.source;
    for (std::size_t i = 0; i < key.size(); ++i) {
        title += fmt::format(", {} = {}", found.key[i], key[i]);
    }
    return title;
}

RowVersions versions_of(const pq::Result& result, const Found& found, std::string title) {
    constexpr int first_value = 5;
    RowVersions row{.title = std::move(title), .columns = found.columns, .versions = {}};
    for (int i = 0; i < result.rows(); ++i) {
        RowVersion& version = row.versions.emplace_back();
        version.valid_from = result.str(i, 0);
        version.valid_to = result.str(i, 1);
        version.operation = result.str(i, 2);
        version.lsn_from = result.str(i, 3);
        version.change_seq = result.str(i, 4);
        for (int column = first_value; column < result.columns(); ++column) {
            version.values.push_back(
                result.null(i, column) ? std::nullopt : std::optional{result.str(i, column)}
            );
        }
    }
    return row;
}

std::optional<Refusal> refuse_table(
    const std::vector<Found>& tables,
    const config::Settings& settings,
    const std::string& name
) {
    if (tables.size() == 1) return std::nullopt;
    if (tables.empty()) {
        return Refusal{
            .exit_code = exit_usage,
            .primary =
                fmt::format(R"(pipeline "{}" keeps no history of "{}")", settings.pipeline, name),
            .hint = R"("pgchronicle status" lists its tables.)",
        };
    }
    std::string list;
    for (const Found& table : tables) list += (list.empty() ? "" : ", ") + table.source;
    return Refusal{
        .exit_code = exit_usage,
        .primary = fmt::format("table name \"{}\" is ambiguous", name),
        .detail = fmt::format("It may be one of {}.", list),
    };
}

std::optional<Refusal> refuse_key(
    const Found& found,
    const std::vector<std::string>& key,
    const config::HistoryColumnNames& names
) {
    if (found.key.empty()) {
        return Refusal{
            .exit_code = exit_usage,
            .primary = fmt::format("table \"{}\" has no key", found.source),
            .detail = "A row of it is known by all of its values, and rows may be identical.",
            .hint = fmt::format(
                "Query the target: SELECT * FROM {} WHERE ... ORDER BY {}, {};",
                pq::quote_qualified(found.schema, found.table),
                pq::quote_identifier(names.lsn_from),
                pq::quote_identifier(names.change_seq)
            ),
        };
    }
    if (found.key.size() == key.size()) return std::nullopt;
    std::string columns;
    for (const auto& name : found.key) columns += (columns.empty() ? "" : ", ") + name;
    return Refusal{
        .exit_code = exit_usage,
        .primary =
            fmt::format("key of table \"{}\" has {} columns", found.source, found.key.size()),
        .detail = fmt::format("They are {}; {} values were given.", columns, key.size()),
    };
}

}  // namespace

int history(
    const config::Settings& settings,
    const HistoryOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    auto target = connect(settings.target.connection, "history");
    std::vector<Found> tables;
    if (history_writer::pg::has_metadata(target)) {
        tables = find_tables(target, settings.pipeline, options.table);
    }
    if (const auto no = refuse_table(tables, settings, options.table)) return report(*no, err);
    Found& found = tables.front();
    const auto& names = settings.tables.history_columns;
    if (const auto no = refuse_key(found, options.key, names)) return report(*no, err);
    read_columns(target, names, found);

    std::vector<pq::Param> params;
    for (const std::string& value : options.key) params.push_back(pq::Param::text(value));
    pq::Result result;
    try {
        result = target.exec(versions_sql(target, found, names), params);
    } catch (const pq::Error& error) {
        if (!error.sqlstate().starts_with("22")) throw;
        return report(
            {.exit_code = exit_usage,
             .primary =
                 fmt::format("key does not fit table \"{}\": {}", found.source, error.primary()),
             .detail = error.detail()},
            err
        );
    }
    const std::string title = title_of(found, options.key);
    if (result.rows() == 0) {
        return report(
            {.exit_code = exit_check_failed, .primary = fmt::format("no version of {}", title)}, err
        );
    }
    print_versions(versions_of(result, found, title), out);
    return exit_done;
}

}  // namespace pgchronicle::commands
