#include "history_writer/pg/on_change.hpp"

#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/table_failure.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;
using pq::quote_identifier;
using pq::quote_literal;

namespace {

/// Users' functions are planned as everywhere else, and not as our statements are.
constexpr const char* plan_as_usual =
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = "
    "on;"
    " SET LOCAL enable_bitmapscan = on; SET LOCAL plan_cache_mode = auto";

/// "schema.function", quoted; the first dot divides, as the configuration has it.
std::string function_name(const HistoryTable& table) {
    const auto dot = table.on_change.find('.');
    return pq::quote_qualified(table.on_change.substr(0, dot), table.on_change.substr(dot + 1));
}

/// The change as followers see it, from the version "h".
std::string change_of(const HistoryTable& table, const Names& n) {
    std::string key;
    for (const auto column : table.key) {
        const auto& name = table.columns[column].name;
        key += fmt::format(
            "{}{}, h.{}", key.empty() ? "" : ", ", quote_literal(name), quote_identifier(name)
        );
    }
    std::string own;
    for (const auto& name : table.names.in_order()) {
        own += (own.empty() ? "" : ", ") + quote_literal(name);
    }
    return fmt::format(
        "jsonb_build_object('table', {}, 'op', h.{}, 'lsn', h.{}, 'seq', h.{}, 'valid_from', h.{},"
        " 'key', jsonb_build_object({}), 'values', to_jsonb(h.*) - ARRAY[{}])",
        quote_literal(table.source_schema + "." + table.source_table),
        n.operation_type,
        n.lsn_from,
        n.change_seq,
        n.valid_from,
        key,
        own
    );
}

TableFailure refused(const HistoryTable& table, const pq::Error& error) {
    auto detail = error.detail();
    if (!error.context().empty()) detail += (detail.empty() ? "" : " ") + error.context();
    return {
        table,
        fmt::format(
            R"(function "{}" failed for a change of table "{}.{}": {})",
            table.on_change,
            table.source_schema,
            table.source_table,
            error.primary()
        ),
        std::move(detail),
        error.hint().empty()
            ? "Nothing of the transaction was written. Mend the function, or take on_change away, "
              "then start again."
            : error.hint()};
}

/// On LSN and seq. Those who follow changes know it by its name.
std::string create_change_index_sql(const HistoryTable& table) {
    const Names n{table.names};
    return fmt::format(
        "CREATE INDEX IF NOT EXISTS {} ON {} ({}, {})",
        quote_identifier(shortened(table.target_table + "_changes")),
        qualified_name(table),
        n.lsn_from,
        n.change_seq
    );
}

/// Calls the function of each of the tables for their versions of the range ($1, $2]; one row.
std::string call_functions_sql(const std::vector<const HistoryTable*>& tables) {
    std::string changes;
    std::string calls;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const Names n{tables[i]->names};
        changes += fmt::format(
            "{}SELECT {} AS n, h.{} AS lsn, h.{} AS seq, h.{} <> 'REKEY' AS begins, {} AS change"
            " FROM {} h WHERE h.{} > $1::pg_lsn AND h.{} <= $2::pg_lsn"
            " AND h.{} NOT IN ('SNAPSHOT', 'RECONCILE', 'REWRITE')",
            i == 0 ? "" : " UNION ALL ",
            i,
            n.lsn_from,
            n.change_seq,
            n.operation_type,
            change_of(*tables[i], n),
            qualified_name(*tables[i]),
            n.lsn_from,
            n.lsn_from,
            n.operation_type
        );
        // Whatever it returns, void too, has a text.
        calls += fmt::format(" WHEN {} THEN {}(c.change)::text", i, function_name(*tables[i]));
    }
    // One TRUNCATE makes many changes of one seq: their order is to be the same each time.
    // A subquery with an order of its own is not taken apart: the functions see that order.
    return fmt::format(
        "SELECT count(CASE c.n{} END) FROM (SELECT * FROM ({}) a"
        " ORDER BY a.lsn, a.seq, a.n, a.begins, a.change->'key') c",
        calls,
        changes
    );
}

}  // namespace

Lsn OnChange::replayed_until() {
    if (!replayed_until_) {
        const auto replay = read_replay(target_, pipeline_);
        replayed_until_ = replay && replay->from ? replay->until : Lsn{};
    }
    return *replayed_until_;
}

void OnChange::prepare(const Table& table) {
    if (table->on_change.empty()) return;
    if (!indexed_.insert({table->target_schema, table->target_table}).second) return;
    for_table(*table, "indexed", [&] {
        // A follower that was interrupted while it made it leaves one that nobody reads.
        const auto index =
            pq::quote_qualified(table->target_schema, shortened(table->target_table + "_changes"));
        const auto made = target_.exec(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", {index}
        );
        if (made.rows() > 0 && !made.boolean(0, 0)) target_.exec("DROP INDEX " + index);
        target_.exec(create_change_index_sql(*table));
    });
}

void OnChange::call(const std::set<Table>& written, Lsn from, Lsn upto) {
    // A table may have been written in two shapes; its rows are those of one table all the same.
    std::map<TargetName, const HistoryTable*> of_target;
    for (const auto& table : written) {
        if (table->on_change.empty()) continue;
        of_target[{table->target_schema, table->target_table}] = table.get();
    }
    if (of_target.empty()) return;
    from = std::max(from, replayed_until());
    if (upto <= from) return;
    std::vector<const HistoryTable*> tables;
    tables.reserve(of_target.size());
    for (const auto& [name, table] : of_target) tables.push_back(table);
    const auto call = [&](const std::vector<const HistoryTable*>& of) {
        target_.exec(call_functions_sql(of), {to_string(from), to_string(upto)});
    };
    target_.exec(plan_as_usual);
    if (tables.size() > 1) target_.exec("SAVEPOINT pgchronicle_on_change");
    try {
        call(tables);
    } catch (const pq::Error& error) {
        if (!is_of_table(error)) throw;
        if (tables.size() == 1) throw refused(*tables.front(), error);
        // Which of them? All of it is rolled back in any case.
        target_.exec("ROLLBACK TO pgchronicle_on_change");
        for (const auto* const table : tables) {
            try {
                call({table});
            } catch (const pq::Error& again) {
                if (!is_of_table(again)) throw;
                throw refused(*table, again);
            }
        }
        throw;
    }
}

}  // namespace pgchronicle::history_writer::pg
