#include "history_writer/pg/target_types.hpp"

#include <algorithm>

namespace pgchronicle::history_writer::pg {

TargetTypes read_target_types(pq::Connection& target, int source_version) {
    TargetTypes types;
    types.versions = {source_version, target.server_version()};
    const auto rows = target.exec(
        "SELECT x.extname, t.typname, format('%I.%I', n.nspname, t.typname),"
        " (SELECT format('OPERATOR(%I.%s)', pn.nspname, p.oprname) FROM pg_opclass c"
        "  JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'"
        "  JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3"
        "  AND a.amoplefttype = t.oid AND a.amoprighttype = t.oid"
        "  JOIN pg_operator p ON p.oid = a.amopopr JOIN pg_namespace pn ON pn.oid = p.oprnamespace"
        "  WHERE c.opcintype = t.oid AND c.opcdefault)"
        " FROM pg_extension x JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass"
        " AND d.refobjid = x.oid AND d.deptype = 'e' AND d.classid = 'pg_type'::regclass"
        " JOIN pg_type t ON t.oid = d.objid JOIN pg_namespace n ON n.oid = t.typnamespace"
        " WHERE t.typtype = 'b' AND t.typreceive <> 0 AND has_type_privilege(t.oid, 'USAGE')"
        " AND has_schema_privilege(n.oid, 'USAGE')"
    );
    for (int i = 0; i < rows.rows(); ++i) {
        types.extension_types[{rows.str(i, 0), rows.str(i, 1)}] = {
            rows.str(i, 2), rows.null(i, 3) ? "" : rows.str(i, 3)};
    }
    types.icu = target.exec("SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')")
                    .boolean(0, 0);
    return types;
}

void keep_as_made(pq::Connection& target, HistoryTable& table) {
    const auto in_question = [](const HistoryColumn& column) {
        return column.of_extension || column.collation;
    };
    if (std::ranges::none_of(table.columns, in_question)) return;
    const auto rows = target.exec(
        "SELECT a.attname, a.atttypid = 'text'::regtype,"
        " coalesce((SELECT l.collisdeterministic FROM pg_collation l"
        " WHERE l.oid = a.attcollation), true)"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
        {table.target_schema, table.target_table}
    );
    for (int i = 0; i < rows.rows(); ++i) {
        const auto column = std::ranges::find(table.columns, rows.text(i, 0), &HistoryColumn::name);
        if (column == table.columns.end()) continue;
        if (column->of_extension && rows.boolean(i, 1)) store_as_text(*column);
        if (column->collation && rows.boolean(i, 2)) {
            column->collation.reset();
            column->equality = KeyEquality::bytes;
        }
    }
    note_equality(table);
}

}  // namespace pgchronicle::history_writer::pg
