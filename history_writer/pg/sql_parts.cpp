#include "history_writer/pg/sql_parts.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;

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
    const Names n{table.names};
    return fmt::format(
        "{}{}{}, {}, {}, {}, {}, {}, {}",
        source_columns(table, ""),
        table.columns.empty() ? "" : ", ",
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
    std::string list;
    for (const auto& column : table.columns) {
        if (!list.empty()) list += ", ";
        list += prefix + quote_identifier(column.name);
    }
    return list;
}

std::string row_of(const HistoryTable& table, const std::string& prefix) {
    return "ROW(" + source_columns(table, prefix) + ")";
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
    const Names n{table.names};
    return fmt::format(
        "SELECT {} FROM {} v WHERE {} ORDER BY v.{} DESC, v.{} DESC LIMIT 1",
        select,
        qualified_name(table),
        key_matches(table, "v.", key),
        n.lsn_from,
        n.change_seq
    );
}

const char* form_name(WireForm form) {
    return form == WireForm::binary ? "binary" : "text";
}

}  // namespace pgchronicle::history_writer::pg
