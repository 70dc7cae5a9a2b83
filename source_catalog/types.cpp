#include "source_catalog/catalog.hpp"

#include <string>

namespace pgchronicle::source_catalog {

Column read_type(pq::Connection& source, pgoutput::TypeOid type, std::int32_t modifier) {
    const auto oid = std::to_string(static_cast<std::uint32_t>(type));
    const auto row = source.exec(
        "WITH RECURSIVE base AS ("
        " SELECT typbasetype AS id, typtypmod AS modifier FROM pg_catalog.pg_type"
        " WHERE oid = $1::oid AND typtype = 'd'"
        " UNION ALL SELECT b.typbasetype, b.typtypmod FROM base"
        " JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype = 'd')"
        " SELECT n.nspname, t.typname, pg_catalog.format_type(t.oid, $2::integer), t.typtype,"
        " (SELECT pg_catalog.format_type(base.id, base.modifier) FROM base"
        "  JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype <> 'd'),"
        " t.typsend <> 0 AND (e.oid IS NULL OR e.typsend <> 0), e.oid IS NOT NULL,"
        " coalesce(e.oid, 0), coalesce(e.typtype, ' '),"
        " coalesce((SELECT base.id FROM base"
        "  JOIN pg_catalog.pg_type b ON b.oid = base.id WHERE b.typtype <> 'd'), t.oid),"
        " (SELECT x.extname FROM pg_catalog.pg_depend d"
        "  JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid"
        "  WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'"
        "  AND d.refclassid = 'pg_catalog.pg_extension'::regclass)"
        " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
        " LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem"
        " AND t.typsubscript::oid = 'pg_catalog.array_subscript_handler'::regproc"
        " WHERE t.oid = $1::oid",
        {oid, std::to_string(modifier)}
    );
    if (row.rows() == 0) {
        throw pq::Error{
            {"42704",
             "type with OID " + oid + " does not exist on the source any more",
             "A change that the slot holds was made with it.",
             "",
             "",
             false}};
    }
    Column column;
    column.type = type;
    column.type_modifier = modifier;
    column.type_schema = row.str(0, 0);
    column.type_name = row.str(0, 1);
    column.type_sql = row.str(0, 2);
    column.type_kind = row.text(0, 3).front();
    if (!row.null(0, 4)) column.domain_base_sql = row.str(0, 4);
    column.has_binary_send = row.boolean(0, 5);
    column.array = row.boolean(0, 6);
    column.element_type = static_cast<std::uint32_t>(row.int64(0, 7));
    column.element_kind = row.text(0, 8).front();
    column.base_type = static_cast<std::uint32_t>(row.int64(0, 9));
    if (!row.null(0, 10)) column.extension = row.str(0, 10);
    return column;
}

}  // namespace pgchronicle::source_catalog
