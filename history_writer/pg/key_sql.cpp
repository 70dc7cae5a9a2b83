#include "history_writer/pg/key_sql.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;

namespace {

using Key = std::function<std::string(std::size_t)>;

/// Types that PostgreSQL can sort, so that they may be keys, but not hash.
bool can_be_hashed(std::string_view type_sql) {
    constexpr std::array<std::string_view, 5> unhashed{
        "bit", "bit varying", "money", "tsvector", "tsquery"};
    // Of an extension's type it is not known.
    if (type_sql.find('.') != std::string_view::npos) return false;
    if (type_sql.ends_with("[]")) type_sql.remove_suffix(2);
    type_sql = type_sql.substr(0, type_sql.find('('));
    return std::ranges::find(unhashed, type_sql) == unhashed.end();
}

/// The hash of a key. Keys that are equal, as 1.0 and 1.00 are, have the same: it is made by the
/// types' own hash functions. A column that has none is left out, since the hash only has to be
/// selective; if none has, the text form is hashed.
std::string key_hash(const HistoryTable& table, const Key& key) {
    std::string hashed;
    std::string all;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        all += (all.empty() ? "" : ", ") + key(i);
        if (!can_be_hashed(table.columns[table.key[i]].type_sql)) continue;
        hashed += (hashed.empty() ? "" : ", ") + key(i);
    }
    if (hashed.empty()) return "pgchronicle.row_hash(ROW(" + all + "))";
    return "pg_catalog.hash_record_extended(ROW(" + hashed + "), 0)";
}

std::string
create_index(const HistoryTable& table, const std::string& clause, const std::string& leading) {
    return fmt::format(
        "CREATE INDEX {} ON {} ({}, {}, {})",
        clause,
        pq::quote_qualified(table.target_schema, table.target_table),
        leading,
        quote_identifier(table.names.lsn_from),
        quote_identifier(table.names.change_seq)
    );
}

std::string hash_of_columns(const HistoryTable& table) {
    return key_hash(table, [&](std::size_t i) { return key_column(table, i); });
}

}  // namespace

std::string key_column(const HistoryTable& table, std::size_t i) {
    return quote_identifier(table.columns[table.key[i]].name);
}

std::string key_index_name(const HistoryTable& table) {
    return shortened(table.target_table + "_key");
}

std::string create_key_index_sql(const HistoryTable& table) {
    std::string columns;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        columns += (columns.empty() ? "" : ", ") + key_column(table, i);
    }
    const auto clause = "IF NOT EXISTS " + quote_identifier(key_index_name(table));
    return "DO " + pq::quote_literal(fmt::format(
                       "BEGIN {}; EXCEPTION WHEN program_limit_exceeded THEN {}; END",
                       create_index(table, clause, columns),
                       create_index(table, clause, hash_of_columns(table))
                   ));
}

std::string hash_key_index_sql(const HistoryTable& table) {
    const auto name = key_index_name(table);
    // Built beside the old one, which readers use until then.
    const auto built = shortened(name + "_hash");
    return fmt::format(
        "{}; DROP INDEX IF EXISTS {}; ALTER INDEX {} RENAME TO {}",
        create_index(table, quote_identifier(built), hash_of_columns(table)),
        pq::quote_qualified(table.target_schema, name),
        pq::quote_qualified(table.target_schema, built),
        quote_identifier(name)
    );
}

std::string key_matches(const HistoryTable& table, const std::string& prefix, const Key& key) {
    const auto column = [&](std::size_t i) { return prefix + key_column(table, i); };
    std::string condition;
    if (table.key_hashed) condition = key_hash(table, column) + " = " + key_hash(table, key);
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        const auto& equals = table.columns[table.key[i]].equals;
        condition +=
            fmt::format("{}{} {} {}", condition.empty() ? "" : " AND ", column(i), equals, key(i));
    }
    return condition;
}

}  // namespace pgchronicle::history_writer::pg
