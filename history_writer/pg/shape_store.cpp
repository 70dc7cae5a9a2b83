#include "history_writer/pg/shape_store.hpp"

#include "history_writer/pg/target_table.hpp"
#include "history_writer/pg/text_literals.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::history_writer::pg {

namespace {

/// The columns as relation_shape holds them.
std::string columns_json(const std::vector<ShapeColumn>& shape) {
    std::string columns = "[";
    for (const auto& column : shape) {
        columns += fmt::format(
            R"({}{{"name": {}, "type": {}, "number": {}, "history": {}}})",
            columns.size() == 1 ? "" : ", ",
            json_string(column.name),
            json_string(column.type_sql),
            column.number,
            json_string(column.history_name)
        );
    }
    return columns + "]";
}

/// What the source's old rows have in its columns without having been written.
std::string filled_json(const source_catalog::Table& source) {
    std::string filled = "{";
    for (const auto& column : source.columns) {
        if (!column.constant_default) continue;
        filled += (filled.size() == 1 ? "" : ", ") + json_string(column.name) + ": " +
                  json_string(*column.constant_default);
    }
    return filled + "}";
}

/// What the relation's columns are of, as format_type says it; empty where the type is not built
/// in.
std::vector<std::string> type_names(pq::Connection& target, const pgoutput::Relation& relation) {
    std::vector<std::string> types;
    std::vector<std::string> modifiers;
    for (const auto& column : relation.columns) {
        types.push_back(std::to_string(static_cast<std::uint32_t>(column.type)));
        modifiers.push_back(std::to_string(column.type_modifier));
    }
    // Source: "first normal object ID", transam.h.
    const auto rows = target.exec(
        "SELECT CASE WHEN t < 16384::oid THEN format_type(t, m) END"
        " FROM unnest($1::oid[], $2::integer[]) WITH ORDINALITY AS u(t, m, n) ORDER BY n",
        {array_literal(types), array_literal(modifiers)}
    );
    std::vector<std::string> names;
    for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.null(i, 0) ? "" : rows.str(i, 0));
    return names;
}

/// Of the columns' rows, those of one shape after the other.
std::vector<std::vector<RecordedColumn>> shapes_of(const pq::Result& rows) {
    std::vector<std::vector<RecordedColumn>> shapes;
    for (int i = 0; i < rows.rows(); ++i) {
        const bool begins = i == 0 || rows.text(i, 0) != rows.text(i - 1, 0) ||
                            rows.text(i, 1) != rows.text(i - 1, 1);
        if (begins) shapes.emplace_back();
        const auto number = static_cast<std::int16_t>(rows.int64(i, 3));
        auto& column = shapes.back().emplace_back(RecordedColumn{
            rows.str(i, 2), number, rows.str(i, 4), rows.str(i, 5), {}});
        if (!rows.null(i, 6)) column.filled = rows.str(i, 6);
    }
    return shapes;
}

}  // namespace

std::vector<ShapeColumn>
last_shape(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation) {
    const auto rows = target.exec(
        "SELECT c->>'name', c->>'type', coalesce((c->>'number')::integer, 0),"
        " coalesce(c->>'history', '') FROM (SELECT columns FROM pgchronicle.relation_shape"
        " WHERE pipeline = $1 AND relation_id = $2::oid ORDER BY lsn DESC LIMIT 1) s,"
        " jsonb_array_elements(s.columns) WITH ORDINALITY AS e(c, i) ORDER BY i",
        {pipeline, oid_text(relation)}
    );
    std::vector<ShapeColumn> shape;
    for (int i = 0; i < rows.rows(); ++i) {
        shape.push_back(
            {rows.str(i, 0),
             static_cast<std::int16_t>(rows.int64(i, 2)),
             rows.str(i, 1),
             rows.str(i, 3)}
        );
    }
    return shape;
}

std::int16_t
highest_number(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation) {
    const auto row = target.exec(
        "SELECT coalesce(max(c.number::integer), 0) FROM pgchronicle.relation_shape s"
        " CROSS JOIN LATERAL (SELECT jsonb_path_query(s.columns, '$[*].number') UNION ALL"
        " SELECT jsonb_path_query(coalesce(s.earlier, '[]'), '$[*].columns[*].number'))"
        " AS c(number) WHERE pipeline = $1 AND relation_id = $2::oid",
        {pipeline, oid_text(relation)}
    );
    return static_cast<std::int16_t>(row.int64(0, 0));
}

std::set<std::string> names_of_others(
    pq::Connection& target,
    const std::string& pipeline,
    pgoutput::RelationId relation,
    const std::vector<ShapeColumn>& columns
) {
    std::vector<std::string> names;
    std::vector<std::string> numbers;
    for (const auto& column : columns) {
        if (column.number == 0 || column.history_name.empty()) continue;
        names.push_back(column.history_name);
        numbers.push_back(std::to_string(column.number));
    }
    const auto rows = target.exec(
        "SELECT DISTINCT n.name FROM pgchronicle.relation_shape s"
        " CROSS JOIN LATERAL (SELECT jsonb_path_query(s.columns, '$[*]') UNION ALL"
        " SELECT jsonb_path_query(coalesce(s.earlier, '[]'), '$[*].columns[*]')) AS c(recorded)"
        " JOIN unnest($3::text[], $4::integer[]) AS n(name, number)"
        " ON n.name = c.recorded->>'history' AND n.number <> (c.recorded->>'number')::integer"
        " WHERE pipeline = $1 AND relation_id = $2::oid"
        " AND (c.recorded->>'number')::integer <> 0",
        {pipeline, oid_text(relation), array_literal(names), array_literal(numbers)}
    );
    std::set<std::string> taken;
    for (int row = 0; row < rows.rows(); ++row) taken.insert(rows.str(row, 0));
    return taken;
}

bool shape_unchanged(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table
) {
    const auto row = target.exec(
        "SELECT s.columns = $3::jsonb AND s.row_key = $4::text[] AND s.replica_identity = $5"
        " AND s.source_schema = $6 AND s.source_table = $7"
        " FROM pgchronicle.relation_shape s WHERE pipeline = $1 AND relation_id = $2::oid"
        " ORDER BY lsn DESC LIMIT 1",
        {pipeline,
         oid_text(source.id),
         columns_json(shape_of(source, table)),
         array_literal(key_names(table)),
         std::string(1, static_cast<char>(source.replica_identity)),
         source.schema_name,
         source.name}
    );
    return row.rows() == 1 && row.boolean(0, 0);
}

void record_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    pgoutput::Lsn lsn
) {
    if (shape_unchanged(target, pipeline, source, table)) return;
    target.exec(
        "INSERT INTO pgchronicle.relation_shape AS t (pipeline, relation_id, source_schema,"
        " source_table, lsn, columns, row_key, replica_identity, filled)"
        " VALUES ($1, $2::oid, $3, $4, $5::pg_lsn, $6::jsonb, $7::text[], $8, $9::jsonb)"
        " ON CONFLICT (pipeline, relation_id, lsn) DO UPDATE SET columns = excluded.columns,"
        " row_key = excluded.row_key, replica_identity = excluded.replica_identity,"
        " source_schema = excluded.source_schema, source_table = excluded.source_table,"
        " filled = excluded.filled, earlier = coalesce(t.earlier, '[]')"
        " || jsonb_build_array(jsonb_build_object('columns', t.columns, 'filled', t.filled))",
        {pipeline,
         oid_text(source.id),
         source.schema_name,
         source.name,
         to_string(lsn),
         columns_json(shape_of(source, table)),
         array_literal(key_names(table)),
         std::string(1, static_cast<char>(source.replica_identity)),
         filled_json(source)}
    );
}

std::vector<RecordedColumn> shape_then(
    pq::Connection& target,
    const std::string& pipeline,
    const pgoutput::Relation& relation,
    pgoutput::Lsn lsn
) {
    const auto rows = target.exec(
        // Of a transaction with several shapes, relation_shape may have the first of them only:
        // the rest is still to come again.
        "SELECT f.lsn, s.number, c.value->>'name', coalesce((c.value->>'number')::integer, 0),"
        " c.value->>'type', coalesce(c.value->>'history', ''), s.filled->>(c.value->>'name') FROM ("
        " SELECT DISTINCT ON (lsn) lsn, columns, filled, earlier FROM ("
        " SELECT lsn, columns, filled, earlier, 1 AS place FROM pgchronicle.replay_shape"
        " WHERE pipeline = $1 AND relation_id = $2::oid AND lsn <= $3::pg_lsn"
        " UNION ALL SELECT lsn, columns, filled, earlier, 2 FROM pgchronicle.relation_shape"
        " WHERE pipeline = $1 AND relation_id = $2::oid AND lsn <= $3::pg_lsn) r"
        " ORDER BY lsn DESC, place LIMIT 2) f CROSS JOIN LATERAL ("
        " SELECT e.number, e.value->'columns' AS columns, e.value->'filled' AS filled"
        " FROM jsonb_array_elements(coalesce(f.earlier, '[]')) WITH ORDINALITY AS e(value, number)"
        " UNION ALL SELECT NULL, f.columns, f.filled) s"
        " CROSS JOIN LATERAL jsonb_array_elements(s.columns) WITH ORDINALITY AS c(value, number)"
        " ORDER BY f.lsn DESC, s.number NULLS LAST, c.number",
        {pipeline, oid_text(relation.id), to_string(lsn)}
    );
    auto shapes = shapes_of(rows);
    std::erase_if(shapes, [&](const auto& shape) {
        return !std::ranges::equal(
            shape, relation.columns, {}, &RecordedColumn::name, &pgoutput::Column::name
        );
    });
    if (shapes.empty()) return {};
    // Several may have the relation's names. Types that this server does not know may be any.
    const auto types = type_names(target, relation);
    const auto has_types = [&](const auto& shape) {
        return std::ranges::equal(shape, types, [](const auto& column, const auto& type) {
            return type.empty() || type == column.type_sql;
        });
    };
    const auto found = std::ranges::find_if(shapes, has_types);
    return found != shapes.end() ? *found : shapes.front();
}

}  // namespace pgchronicle::history_writer::pg
