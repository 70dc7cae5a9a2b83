#include "history_writer/pg/sql_parts.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;

namespace {

/// The expressions of an index share one row of pg_index, on one page before PostgreSQL 18. On 15,
/// 513 integer columns fit it, and 314 of numeric, each with another precision and scale.
constexpr std::size_t hashed_columns_max = 256;

std::string
first_columns(const HistoryTable& table, const std::string& prefix, std::size_t columns_max) {
    std::string list;
    for (std::size_t i = 0; i < std::min(table.columns.size(), columns_max); ++i) {
        if (i != 0) list += ", ";
        list += prefix + quote_identifier(table.columns[i].name);
    }
    return list;
}

}  // namespace

Names::Names(const config::HistoryColumnNames& names)
    : valid_from{quote_identifier(names.valid_from)},
      valid_to{quote_identifier(names.valid_to)},
      is_current{quote_identifier(names.is_current)},
      operation_type{quote_identifier(names.operation_type)},
      lsn_from{quote_identifier(names.lsn_from)},
      lsn_to{quote_identifier(names.lsn_to)},
      change_seq{quote_identifier(names.change_seq)} {}

std::string qualified_name(const HistoryTable& table) {
    return pq::quote_qualified(table.target_schema, table.target_table);
}

std::string collated_type(const HistoryTable& table, const HistoryColumn& column) {
    if (!column.collation) return column.type_sql;
    return column.type_sql + " COLLATE " +
           pq::quote_qualified(table.target_schema, column.collation->name);
}

std::string column_list(const HistoryTable& table) {
    return source_columns(table, "") + (table.columns.empty() ? "" : ", ") + own_column_list(table);
}

std::string own_column_list(const HistoryTable& table) {
    const Names n{table.names};
    return fmt::format(
        "{}, {}, {}, {}, {}, {}, {}",
        n.valid_from,
        n.valid_to,
        n.is_current,
        n.operation_type,
        n.lsn_from,
        n.lsn_to,
        n.change_seq
    );
}

std::string source_columns(const HistoryTable& table, const std::string& prefix) {
    return first_columns(table, prefix, table.columns.size());
}

std::string row_of(const HistoryTable& table, const std::string& prefix) {
    return "ROW(" + source_columns(table, prefix) + ")";
}

std::vector<std::string> hashed_columns(const HistoryTable& table) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(table.columns.size(), hashed_columns_max); ++i) {
        names.push_back(table.columns[i].name);
    }
    return names;
}

std::string row_hash(const HistoryTable& table, const std::string& prefix) {
    return "pgchronicle.row_hash(ROW(" + first_columns(table, prefix, hashed_columns_max) + "))";
}

std::string key_text(const HistoryTable& table, const std::string& prefix) {
    std::string list;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        list += fmt::format("{}{}{}::text", i == 0 ? "" : ", ", prefix, key_column(table, i));
    }
    return "ARRAY[" + list + "]";
}

std::string newest_version(
    const HistoryTable& table,
    const std::string& select,
    const std::function<std::string(std::size_t)>& key
) {
    return newest_versions(table, select, key, 1);
}

std::string newest_versions(
    const HistoryTable& table,
    const std::string& select,
    const std::function<std::string(std::size_t)>& key,
    int count
) {
    const Names n{table.names};
    return fmt::format(
        "SELECT {} FROM {} v WHERE {} ORDER BY v.{} DESC, v.{} DESC LIMIT {}",
        select,
        qualified_name(table),
        key_matches(table, "v.", key),
        n.lsn_from,
        n.change_seq,
        count
    );
}

const char* form_name(WireForm form) {
    return form == WireForm::binary ? "binary" : "text";
}

}  // namespace pgchronicle::history_writer::pg
