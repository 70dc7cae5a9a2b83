#include "history_writer/pg/quarantine_store.hpp"

#include "failpoint/failpoint.hpp"
#include "history_writer/pg/text_literals.hpp"

#include <charconv>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;

namespace {

/// The reason of the gaps, as pgchronicle.gap holds it.
constexpr const char* reason = "quarantined";

Lsn lsn_of(const pq::Result& rows, int row, int column) {
    return pgoutput::parse_lsn(rows.text(row, column)).value_or(Lsn{});
}

}  // namespace

std::vector<Quarantine> read_quarantines(pq::Connection& target, const std::string& pipeline) {
    const auto rows = target.exec(
        "SELECT source_schema, source_table, relation_id, from_lsn, released_at IS NOT NULL"
        " FROM pgchronicle.quarantine WHERE pipeline = $1 ORDER BY 1, 2",
        {pipeline}
    );
    std::vector<Quarantine> found;
    for (int i = 0; i < rows.rows(); ++i) {
        const auto digits = rows.text(i, 2);
        std::uint32_t oid = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), oid);
        found.push_back(
            {rows.str(i, 0),
             rows.str(i, 1),
             pgoutput::RelationId{oid},
             lsn_of(rows, i, 3),
             rows.boolean(i, 4)}
        );
    }
    return found;
}

bool schema_is_usable(pq::Connection& target, const TableFailure::Table& table) {
    const auto usable = target.exec(
        "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1",
        {table.target_schema}
    );
    return usable.rows() == 1 && usable.boolean(0, 0);
}

Lsn quarantine(pq::Connection& target, const std::string& pipeline, const TableFailure& failure) {
    const auto& table = failure.table();
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    // Where the former gap has not been repaired, this one goes on from there.
    target.exec(
        "UPDATE pgchronicle.gap g SET to_lsn = c.position FROM pgchronicle.checkpoint c"
        " WHERE g.pipeline = $1 AND c.pipeline = g.pipeline AND g.source_schema = $2"
        " AND g.source_table = $3 AND g.reason = $4 AND g.repaired_at IS NULL",
        {pipeline, table.source_schema, table.source_table, reason}
    );
    target.exec(
        "INSERT INTO pgchronicle.gap (pipeline, source_schema, source_table, from_lsn, to_lsn,"
        " reason, detail) SELECT pipeline, $2, $3, position, position, $4, $5"
        " FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {pipeline, table.source_schema, table.source_table, reason, failure.what()}
    );
    const auto stored = target.exec(
        "INSERT INTO pgchronicle.quarantine AS q (pipeline, source_schema, source_table,"
        " relation_id, from_lsn, from_time, message, detail, hint)"
        " SELECT pipeline, $2, $3, $4::oid, position, last_commit_time, $5, nullif($6, ''),"
        " nullif($7, '') FROM pgchronicle.checkpoint WHERE pipeline = $1"
        " ON CONFLICT (pipeline, source_schema, source_table) DO UPDATE SET"
        " relation_id = excluded.relation_id, message = excluded.message,"
        " detail = excluded.detail, hint = excluded.hint, quarantined_at = now(),"
        " released_at = NULL RETURNING (SELECT position FROM pgchronicle.checkpoint"
        " WHERE pipeline = $1)",
        {pipeline,
         table.source_schema,
         table.source_table,
         oid_text(table.relation),
         failure.what(),
         failure.detail(),
         failure.hint()}
    );
    // Under a name that it had before, nothing of it will be told any more.
    target.exec(
        "WITH former AS (DELETE FROM pgchronicle.quarantine WHERE pipeline = $1"
        " AND relation_id = $2::oid AND (source_schema, source_table) <> ($3, $4)"
        " RETURNING source_schema, source_table)"
        " UPDATE pgchronicle.gap g SET to_lsn = c.position FROM former f, pgchronicle.checkpoint c"
        " WHERE c.pipeline = $1 AND g.pipeline = $1 AND g.source_schema = f.source_schema"
        " AND g.source_table = f.source_table AND g.reason = $5 AND g.repaired_at IS NULL",
        {pipeline, oid_text(table.relation), table.source_schema, table.source_table, reason}
    );
    // Whatever it was to be compared for, the release will have it compared.
    target.exec(
        "UPDATE pgchronicle.table_state SET compare_as = NULL WHERE pipeline = $1"
        " AND source_schema = $2 AND source_table = $3",
        {pipeline, table.source_schema, table.source_table}
    );
    failpoint(Failpoint::quarantine_uncommitted);
    target.exec("COMMIT");
    return lsn_of(stored, 0, 0);
}

std::optional<Lsn>
release(pq::Connection& target, const std::string& pipeline, const std::string& name) {
    const auto released = target.exec(
        "UPDATE pgchronicle.quarantine SET released_at = coalesce(released_at, now())"
        " WHERE pipeline = $1 AND source_schema || '.' || source_table = $2 RETURNING from_lsn",
        {pipeline, name}
    );
    if (released.rows() == 0) return std::nullopt;
    // A table that was not copied yet is copied, or compared, as it is.
    target.exec(
        "UPDATE pgchronicle.table_state SET compare_as = 'RECONCILE' WHERE pipeline = $1"
        " AND source_schema || '.' || source_table = $2 AND state = 'copied'",
        {pipeline, name}
    );
    return lsn_of(released, 0, 0);
}

void end_quarantine(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    Lsn seam
) {
    // It may have been renamed since.
    target.exec(
        "WITH ended AS (DELETE FROM pgchronicle.quarantine WHERE pipeline = $1"
        " AND (relation_id = $2::oid OR (source_schema = $3 AND source_table = $4))"
        " RETURNING source_schema, source_table)"
        " UPDATE pgchronicle.gap g SET to_lsn = $5::pg_lsn, repaired_at = now() FROM ended e"
        " WHERE g.pipeline = $1 AND g.source_schema = e.source_schema"
        " AND g.source_table = e.source_table AND g.reason = $6 AND g.repaired_at IS NULL",
        {pipeline,
         oid_text(table.relation),
         table.source_schema,
         table.source_table,
         to_string(seam),
         reason}
    );
}

void forget_quarantine(
    pq::Connection& target,
    const std::string& pipeline,
    const Quarantine& quarantine
) {
    target.exec(
        "WITH ended AS (DELETE FROM pgchronicle.quarantine WHERE pipeline = $1"
        " AND source_schema = $2 AND source_table = $3 RETURNING pipeline)"
        " UPDATE pgchronicle.gap g SET to_lsn = c.position FROM ended e, pgchronicle.checkpoint c"
        " WHERE c.pipeline = e.pipeline AND g.pipeline = e.pipeline AND g.source_schema = $2"
        " AND g.source_table = $3 AND g.reason = $4 AND g.repaired_at IS NULL",
        {pipeline, quarantine.source_schema, quarantine.source_table, reason}
    );
    target.exec(
        "UPDATE pgchronicle.table_state SET compare_as = NULL WHERE pipeline = $1"
        " AND relation_id = $2::oid AND compare_as IS NOT NULL",
        {pipeline, oid_text(quarantine.relation)}
    );
}

}  // namespace pgchronicle::history_writer::pg
