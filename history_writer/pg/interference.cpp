#include "history_writer/pg/interference.hpp"

#include "history_writer/pg/mismatch.hpp"
#include "history_writer/table_failure.hpp"
#include "pq/array_text.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <optional>

namespace pgchronicle::history_writer::pg {

namespace {

/// Whether a trigger or rule is in force, behind tgenabled or ev_enabled. It goes by the session's
/// role in replication, which is not ours to set: that takes a superuser, or from 15 on a grant.
constexpr const char* in_force =
    "::text IN ('A', CASE pg_catalog.current_setting('session_replication_role')"
    " WHEN 'replica' THEN 'R' ELSE 'O' END)";

/// Rows (schema and name of the table, kind, name, schema and name of the relation that it is on).
/// What is on a partition acts on the table. A view's own rule is the view. Staging tables of a
/// copy are unlogged, and what is lost of them is copied again.
constexpr const char* interference_sql = R"(
WITH written AS (
    SELECT c.oid, n.nspname, c.relname, n.nspname = 'pgchronicle' AS metadata,
           c.relforcerowsecurity AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AS forced
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE (n.nspname = 'pgchronicle' AND c.relkind IN ('r', 'p') AND c.relname !~ '^copy_[0-9]')
       OR (n.nspname, c.relname) IN (SELECT w.s, w.t FROM unnest($1::text[], $2::text[])
                                     AS w(s, t))
), stored AS (
    SELECT w.nspname, w.relname, w.metadata, m.oid, m.relkind, m.relpersistence,
           n.nspname AS on_schema, m.relname AS on_table
    FROM written w
    CROSS JOIN LATERAL (SELECT w.oid AS id
                        UNION SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(w.oid) p) part
    JOIN pg_catalog.pg_class m ON m.oid = part.id
    JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
)
SELECT s.nspname, s.relname, 'trigger', t.tgname, s.on_schema, s.on_table
FROM stored s JOIN pg_catalog.pg_trigger t ON t.tgrelid = s.oid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled{0}
UNION ALL
SELECT w.nspname, w.relname, 'rule', r.rulename, w.nspname, w.relname
FROM written w JOIN pg_catalog.pg_rewrite r ON r.ev_class = w.oid
WHERE r.ev_type <> '1' AND r.ev_enabled{0}
UNION ALL
SELECT nspname, relname, CASE WHEN forced THEN 'forced security' ELSE 'security' END, relname,
       nspname, relname
FROM written WHERE pg_catalog.row_security_active(oid)
UNION ALL
SELECT nspname, relname, 'unlogged', on_table, on_schema, on_table
FROM stored WHERE relpersistence = 'u' AND relkind <> 'p'
  -- Where rows are copied to first: a copy that breaks off is made again.
  AND NOT (metadata AND relname LIKE 'copy\_%')
UNION ALL
SELECT s.nspname, s.relname,
       CASE WHEN k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd')
                                      OR k.confupdtype IN ('c', 'n', 'd'))
            THEN 'action' ELSE 'constraint' END,
       k.conname, s.on_schema, s.on_table
FROM stored s JOIN pg_catalog.pg_constraint k ON k.conrelid = s.oid
WHERE NOT s.metadata AND k.conparentid = 0 AND k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT s.nspname, s.relname, 'index', c.relname, s.on_schema, s.on_table
FROM stored s JOIN pg_catalog.pg_index i ON i.indrelid = s.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE NOT s.metadata AND i.indisunique AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                  WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid)
ORDER BY 1, 2, 3, 4
)";

/// What is said of one kind; without `why` it is not silent.
struct Words {
    std::string what;
    std::string why;
    std::string mending;
};

Words words_of(const std::string& kind, const std::string& name, const std::string& table) {
    const auto foreign = [&](const char* what) {
        return fmt::format("{} \"{}\" on table \"{}\" is not pgchronicle's", what, name, table);
    };
    const auto quoted = [&] { return pq::quote_identifier(name); };
    if (kind == "trigger") {
        return {
            foreign("trigger"),
            "It can drop or change versions as they are written.",
            "DISABLE TRIGGER " + quoted()};
    }
    if (kind == "rule") {
        return {
            foreign("rule"),
            "It can do something else in place of what is written.",
            "DISABLE RULE " + quoted()};
    }
    if (kind == "action") {
        return {
            foreign("foreign key"),
            "Changes of the table that it refers to delete or change versions; \"pgchronicle "
            "verify\" tells which.",
            "DROP CONSTRAINT " + quoted()};
    }
    if (kind == "unlogged") {
        return {
            fmt::format("table \"{}\" is unlogged", table),
            "A crash of the server empties it, and what was acknowledged is not sent again.",
            "SET LOGGED"};
    }
    if (kind == "constraint") return {foreign("constraint"), "", "DROP CONSTRAINT " + quoted()};
    if (kind == "index") return {foreign("unique index"), "", ""};
    return {
        fmt::format("row-level security is in force on table \"{}\"", table),
        "It hides versions, or refuses them.",
        kind == "security" ? "DISABLE ROW LEVEL SECURITY" : "NO FORCE ROW LEVEL SECURITY"};
}

Interference found_in(const pq::Result& rows, int row) {
    Interference found;
    found.table = {rows.str(row, 0), rows.str(row, 1)};
    const auto name = rows.str(row, 3);
    const auto on_schema = rows.str(row, 4);
    auto words = words_of(rows.str(row, 2), name, found.table.schema + "." + found.table.table);
    found.what = std::move(words.what);
    found.mending_sql = words.mending.empty()
                            ? fmt::format("DROP INDEX {};", pq::quote_qualified(on_schema, name))
                            : fmt::format(
                                  "ALTER TABLE {} {};",
                                  pq::quote_qualified(on_schema, rows.str(row, 5)),
                                  words.mending
                              );
    found.silent = !words.why.empty();
    found.why = found.silent ? words.why : "\"run\" stops at the first version that it refuses.";
    return found;
}

TargetName name_of(const HistoryTable& table) {
    return {table.target_schema, table.target_table};
}

/// What is wrong with one table, as an error says it.
struct Trouble {
    std::string primary;
    std::string detail;
    std::string hint{"Take it away, then start again:"};

    void add(const Interference& found) {
        if (primary.empty()) {
            primary = found.what;
            detail = found.why;
        } else {
            detail += " Also: " + found.what + ".";
        }
        hint += " " + found.mending_sql;
    }
};

std::optional<Trouble>
trouble_on(const std::vector<Interference>& findings, const TargetName& table) {
    Trouble trouble;
    for (const auto& found : findings) {
        if (found.silent && found.table == table) trouble.add(found);
    }
    if (trouble.primary.empty()) return std::nullopt;
    return trouble;
}

void refuse_rest(const std::vector<Interference>& findings) {
    Trouble trouble;
    for (const auto& found : findings) {
        if (found.silent) trouble.add(found);
    }
    if (trouble.primary.empty()) return;
    throw TargetMismatch{trouble.primary, trouble.detail, trouble.hint};
}

}  // namespace

std::vector<Interference>
find_interference(pq::Connection& target, const std::vector<TargetName>& tables) {
    static const std::string sql = fmt::format(interference_sql, in_force);
    std::vector<std::string> schemas;
    std::vector<std::string> names;
    for (const auto& table : tables) {
        schemas.push_back(table.schema);
        names.push_back(table.table);
    }
    const auto rows = target.exec(sql, {pq::array_text(schemas), pq::array_text(names)});
    std::vector<Interference> found;
    for (int row = 0; row < rows.rows(); ++row) found.push_back(found_in(rows, row));
    return found;
}

void require_untouched(
    pq::Connection& target,
    const std::vector<std::shared_ptr<const HistoryTable>>& tables
) {
    std::vector<TargetName> names;
    for (const auto& table : tables) names.push_back(name_of(*table));
    const auto findings = find_interference(target, names);
    for (const auto& table : tables) {
        const auto trouble = trouble_on(findings, name_of(*table));
        if (trouble) throw TableFailure{*table, trouble->primary, trouble->detail, trouble->hint};
    }
    refuse_rest(findings);
}

void require_untouched(pq::Connection& target, const HistoryTable& table) {
    const auto findings = find_interference(target, {name_of(table)});
    const auto trouble = trouble_on(findings, name_of(table));
    if (trouble) throw TableFailure{table, trouble->primary, trouble->detail, trouble->hint};
    refuse_rest(findings);
}

void require_untouched(pq::Connection& target, const TargetName& table) {
    refuse_rest(find_interference(target, {table}));
}

std::string untouched_sql() {
    return fmt::format(
        "SELECT 1 / (NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t"
        " WHERE t.tgrelid = ANY ($1::regclass[]::oid[]) AND NOT t.tgisinternal AND t.tgenabled{0})"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r"
        " WHERE r.ev_class = ANY ($1::regclass[]::oid[]) AND r.ev_type <> '1' AND r.ev_enabled{0})"
        " AND NOT EXISTS (SELECT FROM pg_catalog.unnest($1::regclass[]::oid[]) AS w(id)"
        " WHERE pg_catalog.row_security_active(w.id)))::integer",
        in_force
    );
}

void require_stored(
    pq::Connection& target,
    const HistoryTable& table,
    std::uint64_t written,
    std::uint64_t stored
) {
    if (stored == written) return;
    require_untouched(target, table);
    throw TableFailure{
        table,
        fmt::format(
            "history of table \"{}.{}\" does not take what is written",
            table.source_schema,
            table.source_table
        ),
        fmt::format("Of {} versions {} were stored.", written, stored),
        "Something in the target drops rows, or adds some. Nothing was committed."};
}

}  // namespace pgchronicle::history_writer::pg
