#include "http/table_sizes.hpp"

#include "pq/array_text.hpp"
#include "pq/quoting.hpp"

#include <cmath>
#include <string>

namespace pgchronicle::http {

namespace {

/// A table of this size is counted within milliseconds.
constexpr std::int64_t counted_bytes_max = 8LL << 20U;

TableSize count(pq::Connection& target, const reading::HistoryTable& table) {
    const auto row = target.exec(
        "SELECT count(*) FILTER (WHERE " + pq::quote_identifier(table.names.is_current) +
        "), count(*) FROM " + pq::quote_qualified(table.target_schema, table.target_table)
    );
    return {row.int64(0, 0), row.int64(0, 1)};
}

/// The share of "t" among the most common values of is_current.
std::optional<double> open_share(const std::string& values, const std::string& shares) {
    const auto all = pq::parse_array_text(values);
    const auto parts = pq::parse_array_text(shares);
    for (std::size_t i = 0; i < all.size() && i < parts.size(); ++i) {
        if (all[i] == "t") return std::stod(parts[i]);
    }
    return std::nullopt;
}

}  // namespace

std::vector<TableSize>
read_table_sizes(pq::Connection& target, const std::vector<reading::HistoryTable>& tables) {
    std::vector<TableSize> sizes;
    for (const auto& table : tables) {
        auto& size = sizes.emplace_back();
        const auto known = target.exec(
            "SELECT pg_relation_size(c.oid), c.reltuples::bigint, s.most_common_vals::text,"
            " s.most_common_freqs::text, has_table_privilege(c.oid, 'SELECT')"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname"
            " AND s.attname = $3 AND NOT s.inherited"
            " WHERE n.nspname = $1 AND c.relname = $2",
            {table.target_schema, table.target_table, table.names.is_current}
        );
        if (known.rows() == 0 || !known.boolean(0, 4)) continue;
        if (!known.null(0, 0) && known.int64(0, 0) <= counted_bytes_max) {
            size = count(target, table);
            continue;
        }
        const auto estimate = known.int64(0, 1);
        if (estimate < 0) continue;  // Never analysed.
        size.versions = estimate;
        if (known.null(0, 2) || known.null(0, 3)) continue;
        if (const auto share = open_share(known.str(0, 2), known.str(0, 3))) {
            size.rows = std::llround(static_cast<double>(estimate) * *share);
        }
    }
    return sizes;
}

}  // namespace pgchronicle::http
