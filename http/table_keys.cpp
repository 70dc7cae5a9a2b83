#include "http/table_keys.hpp"

#include "http/key_ranges.hpp"
#include "pq/quoting.hpp"

#include <vector>

namespace pgchronicle::http {

namespace {

/// Of one range of the index, so many keys are looked at.
constexpr std::uint64_t looked_at_max = 10'000;

struct KeySql {
    std::string columns;
    std::string text;  ///< The values, joined with commas; compared by their bytes.
};

KeySql key_sql(const reading::HistoryTable& table) {
    KeySql key;
    for (const auto& name : table.row_key) {
        const auto column = pq::quote_identifier(name);
        key.columns += (key.columns.empty() ? "" : ", ") + column;
        key.text += ", " + column + "::text COLLATE \"C\"";
    }
    key.text = "pg_catalog.concat_ws(','" + key.text + ")";
    return key;
}

std::string as_sql(const KeyRange& range, std::vector<std::string>& values) {
    std::string where;
    for (const auto& bound : range) {
        values.push_back(bound.value);
        where += where.empty() ? " WHERE " : " AND ";
        where += pq::quote_identifier(bound.column) + ' ' + bound.comparison + " $" +
                 std::to_string(values.size()) + "::" + bound.type;
    }
    return where;
}

}  // namespace

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
    const auto key = key_sql(table);
    const auto from = " FROM " + pq::quote_qualified(table.target_schema, table.target_table);
    const auto in_order = " ORDER BY " + key.columns + " LIMIT ";
    const auto count = std::to_string(count_max);
    if (prefix.empty()) {
        return reading::read_rows(
            target, "SELECT DISTINCT " + key.columns + from + in_order + count, {}, limit
        );
    }
    std::vector<std::string> values{prefix};
    std::string found;
    for (const auto& range : key_ranges(table.key_columns(), prefix)) {
        found += found.empty() ? "" : " UNION ALL ";
        found += "(SELECT " + key.columns + " FROM (SELECT DISTINCT " + key.columns + from +
                 as_sql(range, values) + in_order + std::to_string(looked_at_max) +
                 ") looked_at WHERE pg_catalog.starts_with(" + key.text + ", $1)" + in_order +
                 count + ")";
    }
    if (found.empty()) {
        found = "SELECT " + key.columns + from + " WHERE pg_catalog.starts_with('', $1)";
    }
    std::vector<pq::Param> params;
    params.reserve(values.size());
    for (const auto& value : values) params.push_back(pq::Param::text(value));
    return reading::read_rows(
        target,
        "SELECT DISTINCT " + key.columns + " FROM (" + found + ") found" + in_order + count,
        params,
        limit
    );
}

}  // namespace pgchronicle::http
