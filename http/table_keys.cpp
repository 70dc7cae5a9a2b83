#include "http/table_keys.hpp"

#include "pq/quoting.hpp"

#include <vector>

namespace pgchronicle::http {

reading::Rows find_keys(
    pq::Connection& target,
    const reading::HistoryTable& table,
    const std::string& prefix,
    std::uint64_t count_max,
    const reading::Limit& limit
) {
    if (table.row_key.empty()) {
        throw reading::Error{
            {.kind = reading::ErrorKind::bad_request,
             .primary = "table \"" + table.name() + "\" has no key",
             .detail = "Its rows can be read as of a moment.",
             .hint = {}}};
    }
    std::string columns;
    std::string text;
    for (const auto& name : table.row_key) {
        const auto column = pq::quote_identifier(name);
        columns += (columns.empty() ? "" : ", ") + column;
        text += ", " + column + "::text";
    }
    // Without a prefix the key's index gives the first ones at once.
    const std::string where =
        prefix.empty() ? " WHERE $1 = ''" : " WHERE starts_with(concat_ws(','" + text + "), $1)";
    const std::vector<pq::Param> params{pq::Param::text(prefix)};
    return reading::read_rows(
        target,
        "SELECT DISTINCT " + columns + " FROM " +
            pq::quote_qualified(table.target_schema, table.target_table) + where + " ORDER BY " +
            columns + " LIMIT " + std::to_string(count_max),
        params,
        limit
    );
}

}  // namespace pgchronicle::http
