#include "history_writer/pg/rewind.hpp"

#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/target_table.hpp"
#include "pq/array_text.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;

namespace {

Lsn lsn_of(const pq::Result& rows, int row, int column) {
    return pgoutput::parse_lsn(rows.text(row, column)).value_or(Lsn{});
}

std::string quoted(const TargetName& table) {
    return pq::quote_qualified(table.schema, table.table);
}

/// Queries of find_obstacle: of which table (NULL: of all), what stands in the way, and at which
/// LSN. Parameters: pipeline, LSN.
constexpr const char* metadata_obstacles[] = {
    "SELECT source_schema, source_table, 'was first followed, copied or compared with the source',"
    " l FROM pgchronicle.table_state, GREATEST(seam, begins_at, compared) AS l"
    " WHERE pipeline = $1 AND state <> 'ended' AND l > $2::pg_lsn",
    "SELECT source_schema, source_table, 'took a name over', min(lsn)"
    " FROM pgchronicle.relation_shape WHERE pipeline = $1"
    " GROUP BY relation_id, source_schema, source_table HAVING min(lsn) > $2::pg_lsn",
    "SELECT source_schema, source_table, 'got a shape that an earlier version recorded in part',"
    " lsn FROM pgchronicle.relation_shape WHERE pipeline = $1 AND filled IS NULL"
    " AND lsn > $2::pg_lsn",
    "SELECT source_schema, source_table, 'has a gap (' || reason || ')', to_lsn"
    " FROM pgchronicle.gap WHERE pipeline = $1 AND reason <> 'value_unknown'"
    " AND to_lsn > $2::pg_lsn",
};

std::string named(const std::string& schema, const std::string& table) {
    return "table \"" + schema + "." + table + "\"";
}

/// Rows (source_schema, source_table, relation_id, target_schema, target_table).
std::vector<KeptTable> tables_of(const pq::Result& rows) {
    std::vector<KeptTable> tables;
    for (int i = 0; i < rows.rows(); ++i) {
        tables.push_back(
            {rows.str(i, 0), rows.str(i, 1), rows.str(i, 2), {rows.str(i, 3), rows.str(i, 4)}}
        );
    }
    return tables;
}

bool is_wanted(const KeptTable& table, const config::Settings& settings) {
    return wanted(table.source_schema, table.source_table, settings);
}

/// A column that has values from after `position`, and would come again without them.
std::optional<std::string> column_left_out(
    pq::Connection& target,
    const config::Settings& settings,
    const KeptTable& table,
    Lsn position
) {
    const auto found =
        settings.tables.overrides.find(table.source_schema + "." + table.source_table);
    if (found == settings.tables.overrides.end() || found->second.exclude_columns.empty())
        return std::nullopt;
    const auto row = target.exec(
        "SELECT c.value->>'name' FROM pgchronicle.relation_shape s CROSS JOIN LATERAL"
        " (SELECT s.columns UNION ALL SELECT e.value->'columns'"
        " FROM jsonb_array_elements(coalesce(s.earlier, '[]')) AS e(value)) AS one(columns)"
        " CROSS JOIN LATERAL jsonb_array_elements(one.columns) AS c(value)"
        " WHERE s.pipeline = $1 AND s.relation_id = $2::oid AND (s.lsn > $3::pg_lsn OR s.lsn ="
        " (SELECT max(lsn) FROM pgchronicle.relation_shape WHERE pipeline = $1"
        " AND relation_id = $2::oid AND lsn <= $3::pg_lsn))"
        " AND c.value->>'history' <> '' AND c.value->>'name' = ANY ($4::text[]) LIMIT 1",
        {settings.pipeline,
         table.relation_id,
         to_string(position),
         pq::array_text(found->second.exclude_columns)}
    );
    if (row.rows() == 0) return std::nullopt;
    return row.str(0, 0);
}

/// A shape after the position, or the one that was there; each column by its number.
struct Name {
    std::string first;
    std::string first_type;
    std::string last;
    std::string last_type;
};

/// What each column of the relation was called at `position`, or when it came later, and is now.
std::map<std::int64_t, Name> names_of(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& relation_id,
    Lsn position
) {
    const auto rows = target.exec(
        "SELECT c.value->>'number', c.value->>'history', c.value->>'type' FROM"
        " (SELECT lsn, NULL::bigint AS number, columns FROM pgchronicle.relation_shape"
        " WHERE pipeline = $1 AND relation_id = $2::oid AND (lsn > $3::pg_lsn OR lsn ="
        " (SELECT max(lsn) FROM pgchronicle.relation_shape WHERE pipeline = $1"
        " AND relation_id = $2::oid AND lsn <= $3::pg_lsn))"
        " UNION ALL SELECT lsn, e.number, e.value->'columns' FROM pgchronicle.relation_shape"
        " CROSS JOIN LATERAL jsonb_array_elements(coalesce(earlier, '[]')) WITH ORDINALITY"
        " AS e(value, number) WHERE pipeline = $1 AND relation_id = $2::oid AND lsn > $3::pg_lsn) s"
        " CROSS JOIN LATERAL jsonb_array_elements(s.columns) AS c(value)"
        " WHERE c.value->>'history' <> '' AND (c.value->>'number')::integer <> 0"
        " ORDER BY s.lsn, s.number NULLS LAST",
        {pipeline, relation_id, to_string(position)}
    );
    std::map<std::int64_t, Name> names;
    for (int i = 0; i < rows.rows(); ++i) {
        const auto name = rows.str(i, 1);
        const auto type = rows.str(i, 2);
        auto& column =
            names.try_emplace(rows.int64(i, 0), Name{name, type, name, type}).first->second;
        column.last = name;
        column.last_type = type;
    }
    return names;
}

void rewind_table(
    pq::Connection& target,
    const config::Settings& settings,
    const TargetName& table,
    Lsn position
) {
    const Names n{settings.tables.history_columns};
    const auto at = to_string(position);
    target.exec(fmt::format("DELETE FROM {} WHERE {} > '{}'", quoted(table), n.lsn_from, at));
    target.exec(fmt::format(
        "UPDATE {} SET {} = NULL, {} = NULL, {} = true WHERE {} > '{}'",
        quoted(table),
        n.valid_to,
        n.lsn_to,
        n.is_current,
        n.lsn_to,
        at
    ));
}

}  // namespace

std::vector<KeptTable> kept_tables(pq::Connection& target, const std::string& pipeline) {
    return tables_of(target.exec(
        "SELECT source_schema, source_table, relation_id, target_schema, target_table"
        " FROM pgchronicle.table_state t WHERE pipeline = $1"
        // Older metadata has no such column.
        " AND (to_jsonb(t)->>'imported')::boolean IS NOT TRUE"
        " AND to_regclass(format('%I.%I', target_schema, target_table)) IS NOT NULL"
        " ORDER BY source_schema, source_table",
        {pipeline}
    ));
}

std::vector<KeptTable> left_alone(pq::Connection& target, const config::Settings& settings) {
    auto tables = kept_tables(target, settings.pipeline);
    std::erase_if(tables, [&](const auto& table) { return is_wanted(table, settings); });
    return tables;
}

std::vector<KeptTable> followed(pq::Connection& target, const config::Settings& settings) {
    auto tables = kept_tables(target, settings.pipeline);
    std::erase_if(tables, [&](const auto& table) { return !is_wanted(table, settings); });
    return tables;
}

std::vector<KeptTable> tables_to_read(pq::Connection& target, const config::Settings& settings) {
    const auto rows = target.exec(
        "SELECT source_schema, source_table, relation_id, target_schema, target_table"
        " FROM pgchronicle.table_state WHERE pipeline = $1"
        " AND (state = 'pending' OR compare_as IS NOT NULL)"
        // Of one that is left behind nothing comes, whatever it waits for.
        " AND (source_schema, source_table) NOT IN (SELECT source_schema, source_table"
        " FROM pgchronicle.quarantine WHERE pipeline = $1 AND released_at IS NULL) ORDER BY 1, 2",
        {settings.pipeline}
    );
    auto tables = tables_of(rows);
    std::erase_if(tables, [&](const auto& table) { return !is_wanted(table, settings); });
    return tables;
}

std::optional<Obstacle>
find_obstacle(pq::Connection& target, const config::Settings& settings, Lsn position) {
    std::optional<Obstacle> gravest;
    const auto consider = [&](std::string what, Lsn lsn) {
        if (!gravest || lsn > gravest->lsn) gravest = Obstacle{std::move(what), lsn, {}};
    };
    for (const auto* const query : metadata_obstacles) {
        const auto rows = target.exec(query, {settings.pipeline, to_string(position)});
        for (int i = 0; i < rows.rows(); ++i) {
            const bool all = rows.null(i, 1);
            if (!all && !wanted(rows.str(i, 0), rows.str(i, 1), settings)) continue;
            const auto table =
                all ? std::string{"the history"} : named(rows.str(i, 0), rows.str(i, 1));
            consider(table + " " + rows.str(i, 2), lsn_of(rows, i, 3));
        }
    }
    const auto imports = target.exec(
        "SELECT source_schema, source_table, max(lsn) FROM pgchronicle.import"
        " WHERE pipeline = $1 AND lsn > $2::pg_lsn GROUP BY 1, 2",
        {settings.pipeline, to_string(position)}
    );
    for (int i = 0; i < imports.rows(); ++i) {
        consider(
            named(imports.str(i, 0), imports.str(i, 1)) + " was imported", lsn_of(imports, i, 2)
        );
    }
    const Names n{settings.tables.history_columns};
    for (const auto& table : followed(target, settings)) {
        const auto name = named(table.source_schema, table.source_table);
        const auto read = target.exec(
            fmt::format(
                "SELECT max({1}) FROM {0} WHERE {1} > $1::pg_lsn"
                " AND {2} IN ('SNAPSHOT', 'RECONCILE', 'REWRITE')",
                quoted(table.name),
                n.lsn_from,
                n.operation_type
            ),
            {to_string(position)}
        );
        if (!read.null(0, 0)) {
            consider(name + " has SNAPSHOT, RECONCILE or REWRITE versions", lsn_of(read, 0, 0));
        }
        if (const auto column = column_left_out(target, settings, table, position)) {
            return Obstacle{
                "column \"" + *column + "\" of " + name + " is excluded now, and was not then",
                {},
                "Take it out of \"exclude\" for the replay, or its values would be lost."};
        }
    }
    return gravest;
}

std::optional<ReplayPoint>
last_commit_at(pq::Connection& target, const config::Settings& settings, Lsn lsn) {
    const Names n{settings.tables.history_columns};
    std::optional<ReplayPoint> last;
    for (const auto& table : kept_tables(target, settings.pipeline)) {
        const auto row = target.exec(
            fmt::format(
                "SELECT {0}, {1}::text FROM {2} WHERE {0} <= $1::pg_lsn AND {3} NOT IN"
                " ('SNAPSHOT', 'RECONCILE', 'REWRITE') ORDER BY {0} DESC LIMIT 1",
                n.lsn_from,
                n.valid_from,
                quoted(table.name),
                n.operation_type
            ),
            {to_string(lsn)}
        );
        if (row.rows() == 0) continue;
        const auto end = lsn_of(row, 0, 0);
        if (!last || end > last->position) last = ReplayPoint{end, end, row.str(0, 1)};
    }
    return last;
}

std::string base_name(const TargetName& table, const std::string& suffix) {
    const auto& name = table.table;
    const bool has_suffix = name.ends_with(suffix) && name.size() > suffix.size();
    return has_suffix ? name.substr(0, name.size() - suffix.size()) : name;
}

void undo_shapes(
    pq::Connection& target,
    const config::Settings& settings,
    const KeptTable& kept,
    const TargetName& table,
    Lsn position
) {
    const auto names = names_of(target, settings.pipeline, kept.relation_id, position);
    HistoryTable history;
    history.target_schema = table.schema;
    history.target_table = table.table;
    history.base_name = base_name(table, settings.target.table_suffix);
    std::vector<ShapeChange::Rename> renames;
    for (const auto& [number, name] : names) {
        if (name.first != name.last) renames.push_back({name.last, name.first});
    }
    if (!rename_columns(target, history, renames).empty()) {
        throw CannotRewind{fmt::format(
            "Columns of table \"{}.{}\" were dropped and renamed since, and share a name.",
            kept.source_schema,
            kept.source_table
        )};
    }
    const auto existing = existing_columns(target, table);
    for (const auto& [number, name] : names) {
        const auto found = existing.find(name.first);
        if (name.first_type == name.last_type || found == existing.end() ||
            found->second != name.last_type) {
            continue;
        }
        // The view is made again with the next change of the table.
        target.exec(fmt::format(
            "DROP VIEW IF EXISTS {}; ALTER TABLE {} ALTER COLUMN {} TYPE {}",
            pq::quote_qualified(table.schema, shortened(history.base_name + "_current")),
            quoted(table),
            pq::quote_identifier(name.first),
            name.first_type
        ));
    }
}

void rewind(pq::Connection& target, const config::Settings& settings, const ReplayPoint& point) {
    const auto& pipeline = settings.pipeline;
    const auto at = to_string(point.position);
    std::vector<TargetName> rewound;
    for (const auto& table : followed(target, settings)) {
        rewind_table(target, settings, table.name, point.position);
        undo_shapes(target, settings, table, table.name, point.position);
        rewound.push_back(table.name);
        target.exec(
            "DELETE FROM pgchronicle.pending_value WHERE pipeline = $1 AND target_schema = $2"
            " AND target_table = $3 AND lsn_from > $4::pg_lsn",
            {pipeline, table.name.schema, table.name.table, at}
        );
        target.exec(
            "DELETE FROM pgchronicle.gap WHERE pipeline = $1 AND source_schema = $2"
            " AND source_table = $3 AND from_lsn > $4::pg_lsn AND reason = 'value_unknown'",
            {pipeline, table.source_schema, table.source_table, at}
        );
    }
    for (const auto& found : find_interference(target, rewound)) {
        if (found.silent) throw CannotRewind{found.what + ": " + found.mending_sql};
    }
    std::vector<std::string> others;
    for (const auto& table : left_alone(target, settings)) others.push_back(table.relation_id);
    const auto others_text = pq::array_text(others);
    target.exec(
        "INSERT INTO pgchronicle.replay_shape (pipeline, relation_id, lsn, columns, filled,"
        " earlier) SELECT pipeline, relation_id, lsn, columns, filled, earlier"
        " FROM pgchronicle.relation_shape WHERE pipeline = $1 AND lsn > $2::pg_lsn"
        " AND relation_id <> ALL ($3::oid[]) ON CONFLICT DO NOTHING",
        {pipeline, at, others_text}
    );
    target.exec(
        "DELETE FROM pgchronicle.relation_shape WHERE pipeline = $1 AND lsn > $2::pg_lsn"
        " AND relation_id <> ALL ($3::oid[])",
        {pipeline, at, others_text}
    );
    // Set back once more, it still goes up to where the history reached at first.
    target.exec(
        "UPDATE pgchronicle.replay r SET from_lsn = $2::pg_lsn,"
        " until_lsn = GREATEST(r.until_lsn, c.position)"
        " FROM pgchronicle.checkpoint c WHERE r.pipeline = $1 AND c.pipeline = r.pipeline",
        {pipeline, at}
    );
    target.exec(
        "UPDATE pgchronicle.checkpoint SET position = $2::pg_lsn, last_commit_end = $3::pg_lsn,"
        " last_commit_time = nullif($4, '')::timestamptz, updated_at = clock_timestamp()"
        " WHERE pipeline = $1",
        {pipeline, at, to_string(point.last_commit_end), point.last_commit_time}
    );
}

}  // namespace pgchronicle::history_writer::pg
