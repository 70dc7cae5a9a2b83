#include "pq/array_text.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace pgchronicle::source_catalog {
namespace {

/// A table, and the columns that the publications' lists name; without a value, all of them.
struct Published {
    Table table;
    std::optional<std::vector<std::string>> column_list;
};

std::uint32_t oid_of(const pq::Result& result, int row, int column) {
    std::uint32_t oid = 0;
    const std::string_view digits = result.text(row, column);
    std::from_chars(digits.data(), digits.data() + digits.size(), oid);
    return oid;
}

char char_of(const pq::Result& result, int row, int column) {
    const std::string_view text = result.text(row, column);
    return text.empty() ? '\0' : text.front();
}

/// Rows (relid, column_list, filter): one per published table, a partition that is published
/// through an ancestor left out, as pgoutput does.
/// Column lists and row filters exist from 15 on. Where publications disagree, filters combine by
/// OR and the lists' union counts; pgoutput itself refuses lists that differ.
std::string published_sql(int version) {
    const bool lists = version >= 150000;
    return fmt::format(
        R"(
published AS (
    SELECT c.oid AS relid,
           {0} AS column_list,
           {1} AS filter
    FROM pg_catalog.pg_publication_tables pt
    JOIN pg_catalog.pg_namespace n ON n.nspname = pt.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
    {2}
    WHERE pt.pubname = ANY ($1::text[])
    GROUP BY c.oid
), streamed AS (
    SELECT p.* FROM published p
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(p.relid) a(relid)
        JOIN published root ON root.relid = a.relid AND root.relid <> p.relid
    )
))",
        lists ? "pg_catalog.array_agg(DISTINCT u.name::text)" : "NULL::text[]",
        lists ? "CASE WHEN pg_catalog.bool_and(pt.rowfilter IS NOT NULL)"
                " THEN pg_catalog.string_agg(DISTINCT pt.rowfilter, ' OR ') END"
              : "NULL::text",
        lists ? "LEFT JOIN LATERAL pg_catalog.unnest(pt.attnames) AS u(name) ON true" : ""
    );
}

/// Columns of the index that `condition` picks, in key order. An index that is invalid or
/// deferrable is no identity to PostgreSQL, and its keys may be there twice within a transaction.
std::string key_sql(const char* condition) {
    return fmt::format(
        R"(ARRAY(
           SELECT a.attname::text
           FROM pg_catalog.pg_index i,
                pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
           JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND a.attrelid = c.oid AND {}
             AND i.indisvalid AND i.indimmediate AND k.position <= i.indnkeyatts
           ORDER BY k.position))",
        condition
    );
}

/// Table::membership of table c. Object ids are new when a table is taken out and put in again.
std::string membership_sql(int version) {
    const bool lists = version >= 150000;
    return fmt::format(
        R"(pg_catalog.md5(pg_catalog.concat_ws(' ',
           (SELECT pg_catalog.string_agg(p.oid || ':' || p.puballtables || p.pubviaroot, ' '
                                         ORDER BY p.oid)
            FROM pg_catalog.pg_publication p WHERE p.pubname = ANY ($1::text[])),
           (SELECT pg_catalog.string_agg(pr.oid::text || {0}, ' ' ORDER BY pr.oid)
            FROM pg_catalog.pg_publication_rel pr
            JOIN pg_catalog.pg_publication p ON p.oid = pr.prpubid AND p.pubname = ANY ($1::text[])
            WHERE pr.prrelid = c.oid
               OR pr.prrelid IN (SELECT a.relid
                                 FROM pg_catalog.pg_partition_ancestors(c.oid) a(relid)))
           {1})))",
        lists ? "COALESCE(pg_catalog.pg_get_expr(pr.prqual, pr.prrelid), '')"
                " || COALESCE(pr.prattrs::text, '')"
              : "''",
        lists ? R"(, (SELECT pg_catalog.string_agg(pn.oid::text, ' ' ORDER BY pn.oid)
            FROM pg_catalog.pg_publication_namespace pn
            JOIN pg_catalog.pg_publication p ON p.oid = pn.pnpubid AND p.pubname = ANY ($1::text[])
            WHERE pn.pnnspid = c.relnamespace))"
              : ""
    );
}

/// Selects the tables of `relation`, which has columns relid, column_list and filter.
std::string tables_sql(int version, const std::string& ctes, const std::string& relation) {
    return fmt::format(
        R"(
WITH {0}
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident,
       {2}, {3}, t.filter,
       CASE WHEN c.relkind = 'p'
            THEN (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(leaf.relid))
                  FROM pg_catalog.pg_partition_tree(c.oid) leaf WHERE leaf.isleaf)
            ELSE pg_catalog.pg_relation_size(c.oid)
       END::bigint / pg_catalog.current_setting('block_size')::bigint,
       c.reltuples::bigint,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
                OR NOT EXISTS (
                    SELECT FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                      AND (t.column_list IS NULL OR a.attname = ANY (t.column_list))
                      AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))),
       c.relpersistence = 'u',
       t.column_list, pg_catalog.pg_relation_filenode(c.oid), {4},
       EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a(relid)
               JOIN published p ON p.relid = a.relid WHERE a.relid <> c.oid),
       c.relnatts
FROM {1} t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
)",
        ctes,
        relation,
        key_sql("i.indisprimary"),
        key_sql("i.indisreplident"),
        membership_sql(version)
    );
}

std::vector<Published> tables_of(const pq::Result& result) {
    std::vector<Published> tables;
    for (int row = 0; row < result.rows(); ++row) {
        Published published;
        Table& table = published.table;
        table.id = pgoutput::RelationId{oid_of(result, row, 0)};
        table.schema_name = result.str(row, 1);
        table.name = result.str(row, 2);
        table.kind = char_of(result, row, 3);
        table.replica_identity = pgoutput::ReplicaIdentity{char_of(result, row, 4)};
        table.primary_key = pq::parse_array_text(result.text(row, 5));
        // An index stays marked when the table goes back to another identity.
        if (table.replica_identity == pgoutput::ReplicaIdentity::index) {
            table.identity_index = pq::parse_array_text(result.text(row, 6));
        }
        if (!result.null(row, 7)) table.row_filter = result.str(row, 7);
        // NULL where the table was dropped under our hands.
        if (!result.null(row, 8)) table.pages = static_cast<std::uint64_t>(result.int64(row, 8));
        table.estimated_rows = result.int64(row, 9);
        table.can_select = result.boolean(row, 10);
        table.unlogged = result.boolean(row, 11);
        if (!result.null(row, 12))
            published.column_list = pq::parse_array_text(result.text(row, 12));
        if (!result.null(row, 13)) table.file = oid_of(result, row, 13);
        table.membership = result.str(row, 14);
        table.through_ancestor = result.boolean(row, 15);
        table.last_number = static_cast<std::int16_t>(result.int64(row, 16));
        tables.push_back(std::move(published));
    }
    return tables;
}

/// Columns of the tables $1, by table and number. Generated ones are streamed from 18 on only, and
/// virtual ones never.
/// A fast default is an array of one element, whose text would need that element type's delimiter
/// to be read; text[] shares it with every built-in type but box.
std::string columns_sql(int version) {
    return fmt::format(
        R"(
SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, tn.nspname, t.typname,
       pg_catalog.format_type(a.atttypid, a.atttypmod), t.typtype,
       (WITH RECURSIVE base AS (
            SELECT t.typbasetype AS id, t.typtypmod AS modifier WHERE t.typtype = 'd'
            UNION ALL
            SELECT b.typbasetype, b.typtypmod
            FROM base JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype = 'd'
        )
        SELECT pg_catalog.format_type(base.id, base.modifier)
        FROM base JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype <> 'd'),
       t.typsend <> 0 AND (e.oid IS NULL OR e.typsend <> 0),
       e.oid IS NOT NULL, e.oid, e.typtype,
       l.oid IS NULL,
       a.attgenerated <> '',
       ARRAY(SELECT n.enumlabel::text FROM pg_catalog.pg_enum n
             WHERE n.enumtypid = t.oid ORDER BY n.enumsortorder),
       CASE WHEN NOT a.atthasmissing THEN NULL
            WHEN t.typdelim = ',' THEN (a.attmissingval::text::text[])[1]
            ELSE pg_catalog.btrim(a.attmissingval::text, '{{}}"')
       END,
       (a.atthasdef OR a.attidentity <> '') AND NOT a.atthasmissing,
       coalesce((WITH RECURSIVE base AS (
            SELECT t.typbasetype AS id WHERE t.typtype = 'd'
            UNION ALL
            SELECT b.typbasetype
            FROM base JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype = 'd'
        )
        SELECT base.id FROM base JOIN pg_catalog.pg_type b ON b.oid = base.id
        WHERE b.typtype <> 'd'), t.oid),
       (SELECT pg_catalog.format('%I.%I', cn.nspname, c.collname) FROM pg_catalog.pg_collation c
        JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace WHERE c.oid = a.attcollation),
       l.collname, {}, {},
       (SELECT x.extname FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
          AND d.refclassid = 'pg_catalog.pg_extension'::regclass)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type e
       ON e.oid = t.typelem AND t.typsubscript::oid = 'pg_catalog.array_subscript_handler'::regproc
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND (a.attgenerated = '' OR (a.attgenerated = 's' AND $2::boolean))
ORDER BY a.attrelid, a.attnum
)",
        version >= 170000   ? "l.colllocale"
        : version >= 150000 ? "l.colliculocale"
                            : "l.collcollate::text",
        version >= 160000 ? "l.collicurules" : "NULL::text"
    );
}

Column column_of(const pq::Result& result, int row) {
    Column column;
    column.name = result.str(row, 1);
    column.number = static_cast<std::int16_t>(result.int64(row, 2));
    column.type = pgoutput::TypeOid{oid_of(result, row, 3)};
    column.type_modifier = static_cast<std::int32_t>(result.int64(row, 4));
    column.type_schema = result.str(row, 5);
    column.type_name = result.str(row, 6);
    column.type_sql = result.str(row, 7);
    column.type_kind = char_of(result, row, 8);
    if (!result.null(row, 9)) column.domain_base_sql = result.str(row, 9);
    column.has_binary_send = result.boolean(row, 10);
    column.array = result.boolean(row, 11);
    column.element_type = oid_of(result, row, 12);
    column.element_kind = char_of(result, row, 13);
    column.deterministic_collation = result.boolean(row, 14);
    column.generated = result.boolean(row, 15);
    column.enum_labels = pq::parse_array_text(result.text(row, 16));
    if (!result.null(row, 17)) column.constant_default = result.str(row, 17);
    column.volatile_default = result.boolean(row, 18);
    column.base_type = oid_of(result, row, 19);
    if (!result.null(row, 20)) column.collation_sql = result.str(row, 20);
    if (!result.null(row, 21)) column.collation_name = result.str(row, 21);
    if (!result.null(row, 22)) column.collation_locale = result.str(row, 22);
    if (!result.null(row, 23)) column.collation_rules = result.str(row, 23);
    if (!result.null(row, 24)) column.extension = result.str(row, 24);
    return column;
}

bool listed(const Published& published, const Column& column) {
    // Without a list (14, or a table that is not published) nothing generated is streamed.
    if (!published.column_list) return !column.generated;
    return std::ranges::find(*published.column_list, column.name) != published.column_list->end();
}

std::vector<Table> with_columns(pq::Connection& source, std::vector<Published> tables) {
    std::vector<std::string> ids;
    std::map<std::uint32_t, Published*> by_id;
    for (Published& published : tables) {
        const auto id = static_cast<std::uint32_t>(published.table.id);
        ids.push_back(std::to_string(id));
        by_id.emplace(id, &published);
    }
    const std::string generated = source.server_version() >= 180000 ? "t" : "f";
    const pq::Result result =
        source.exec(columns_sql(source.server_version()), {pq::array_text(ids), generated});
    for (int row = 0; row < result.rows(); ++row) {
        Published& published = *by_id.at(oid_of(result, row, 0));
        Column column = column_of(result, row);
        if (listed(published, column)) published.table.columns.push_back(std::move(column));
    }
    std::vector<Table> finished;
    finished.reserve(tables.size());
    for (Published& published : tables) finished.push_back(std::move(published.table));
    return finished;
}

}  // namespace

std::vector<Table> read_tables(pq::Connection& source, std::span<const std::string> publications) {
    const int version = source.server_version();
    const std::string sql = tables_sql(version, published_sql(version), "streamed");
    return with_columns(source, tables_of(source.exec(sql, {pq::array_text(publications)})));
}

std::optional<Table> read_table(
    pq::Connection& source,
    pgoutput::RelationId id,
    std::span<const std::string> publications
) {
    const int version = source.server_version();
    const std::string sql = tables_sql(
        version,
        published_sql(version),
        "(SELECT one.relid, p.column_list, p.filter FROM (SELECT $2::oid AS relid) one"
        " LEFT JOIN published p USING (relid))"
    );
    const std::string oid = std::to_string(static_cast<std::uint32_t>(id));
    auto tables =
        with_columns(source, tables_of(source.exec(sql, {pq::array_text(publications), oid})));
    if (tables.empty()) return std::nullopt;
    return std::move(tables.front());
}

std::map<std::string, std::int16_t>
read_column_numbers(pq::Connection& source, pgoutput::RelationId id) {
    const auto rows = source.exec(
        "SELECT attname, attnum FROM pg_catalog.pg_attribute"
        " WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped",
        {std::to_string(static_cast<std::uint32_t>(id))}
    );
    std::map<std::string, std::int16_t> numbers;
    for (int row = 0; row < rows.rows(); ++row) {
        numbers.emplace(rows.str(row, 0), static_cast<std::int16_t>(rows.int64(row, 1)));
    }
    return numbers;
}

}  // namespace pgchronicle::source_catalog
