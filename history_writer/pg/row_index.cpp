#include "history_writer/pg/row_index.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "pq/quoting.hpp"

#include <set>
#include <string>

namespace pgchronicle::history_writer::pg {

void renew_row_index(pq::Connection& target, const HistoryTable& table) {
    if (table.keyed) return;
    const auto index = pq::quote_qualified(table.target_schema, key_index_name(table));
    // What the index stands on, its expression's columns among them.
    const auto rows = target.exec(
        "SELECT DISTINCT a.attname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a"
        " ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        " AND d.objid = pg_catalog.to_regclass($1)"
        " AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        " AND d.refobjid = pg_catalog.to_regclass($2) AND d.refobjsubid > 0",
        {index, qualified_name(table)}
    );
    if (rows.rows() == 0) return;
    std::set<std::string> indexed;
    for (int i = 0; i < rows.rows(); ++i) indexed.insert(rows.str(i, 0));
    std::set<std::string> wanted{table.names.lsn_from, table.names.change_seq};
    for (const auto& column : hashed_columns(table)) wanted.insert(column);
    if (indexed == wanted) return;
    target.exec("DROP INDEX " + index);
    target.exec(create_index_sql(table));
}

}  // namespace pgchronicle::history_writer::pg
