#include "history_writer/pg/wide_keys.hpp"

#include "history_writer/pg/key_sql.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

bool keys_are_hashed(pq::Connection& target, const HistoryTable& table) {
    // An expression leads the index: its first column has no number.
    const auto row = target.exec(
        "SELECT i.indkey[0] = 0 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = $1 AND t.relname = $2 AND c.relname = $3",
        {table.target_schema, table.target_table, key_index_name(table)}
    );
    return row.rows() == 1 && row.boolean(0, 0);
}

bool key_is_too_wide(const pq::Error& error, const HistoryTable& table) {
    constexpr const char* program_limit_exceeded = "54000";
    if (error.sqlstate() != program_limit_exceeded) return false;
    // An entry over a page is refused before it is known for which index. If it was not ours, the
    // hashes do no harm; an index that is named and not ours is its owner's.
    return error.constraint().empty() || error.constraint() == key_index_name(table);
}

void hash_keys(pq::Connection& target, const HistoryTable& table, const pq::Error& error) {
    target.exec("ROLLBACK");
    target.exec(hash_key_index_sql(table));
    constexpr const char* serialization_failure = "40001";
    throw pq::Error{
        {.sqlstate = serialization_failure,
         .primary = fmt::format(
             "index of table \"{}.{}\" holds hashes of the keys from now on",
             table.target_schema,
             table.target_table
         ),
         .detail = "A key was too wide for an index entry: " + error.primary() + "."}};
}

}  // namespace pgchronicle::history_writer::pg
