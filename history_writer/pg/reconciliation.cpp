#include "history_writer/pg/reconciliation.hpp"

#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/table_state.hpp"

namespace pgchronicle::history_writer::pg {

namespace {

constexpr const char* begin_durably = "BEGIN; SET LOCAL synchronous_commit = on";

/// Nobody decided this but the configuration: the process is who did it.
void record(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& action,
    const LostSlot& lost,
    const std::string& detail,
    pgoutput::Lsn to
) {
    target.exec(
        "INSERT INTO pgchronicle.audit (pipeline, who, action, reason, detail, from_lsn, to_lsn)"
        " VALUES ($1, current_setting('application_name') || ' as ' || session_user, $2, $3, $4,"
        " $5::pg_lsn, $6::pg_lsn)",
        {pipeline, action, lost.why, detail, to_string(lost.from), to_string(to)}
    );
}

}  // namespace

void begin_reconciliation(
    pq::Connection& target,
    const config::Settings& settings,
    const LostSlot& lost,
    pgoutput::Lsn to
) {
    const auto& pipeline = settings.pipeline;
    target.exec(begin_durably);
    const auto moved = target.exec(
        "UPDATE pgchronicle.checkpoint SET position = $3::pg_lsn, updated_at = clock_timestamp()"
        " WHERE pipeline = $1 AND position = $2::pg_lsn",
        {pipeline, to_string(lost.from), to_string(to)}
    );
    if (moved.affected() != 1) {
        target.exec("ROLLBACK");
        require_position(target, pipeline, lost.from);
        throw CheckpointMismatch{
            "checkpoint of pipeline \"" + pipeline + "\" was moved, and moved back",
            "Somebody else writes it.",
            "Nothing was written. Find out who, then start again."};
    }
    target.exec(
        "INSERT INTO pgchronicle.gap (pipeline, from_lsn, to_lsn, reason, detail)"
        " VALUES ($1, $2::pg_lsn, $3::pg_lsn, $4, $5)",
        {pipeline, to_string(lost.from), to_string(to), slot_lost_reason, lost.why}
    );
    record(
        target,
        pipeline,
        "reconcile",
        lost,
        "slot \"" + lost.slot + "\" goes on from " + to_string(to),
        to
    );
    for (const auto& state : read_states(target, pipeline)) {
        if (state.ended || !wanted(state.source_schema, state.source_table, settings)) continue;
        // Also where the copy is not done yet: what it meets may be as of before the gap. What was
        // truncated in the gap has another file, and is no rewrite: it is to be learnt again. A
        // table in quarantine is compared when it is released.
        target.exec(
            "UPDATE pgchronicle.table_state SET compare_as = 'RECONCILE', source_file = NULL"
            " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3 AND NOT EXISTS"
            " (SELECT FROM pgchronicle.quarantine q WHERE q.pipeline = $1 AND q.source_schema = $2"
            " AND q.source_table = $3 AND q.released_at IS NULL)",
            {pipeline, state.source_schema, state.source_table}
        );
    }
    target.exec("COMMIT");
}

void note_restored_slot(
    pq::Connection& target,
    const std::string& pipeline,
    const LostSlot& lost,
    const std::string& copy_of
) {
    target.exec(begin_durably);
    record(
        target,
        pipeline,
        "restore slot",
        lost,
        "slot \"" + lost.slot + "\", a copy of \"" + copy_of + "\"",
        lost.from
    );
    target.exec("COMMIT");
}

void extend_lost_gaps(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    pgoutput::Lsn seam
) {
    // A table that was copied or compared since the gap began has met it already. One that comes
    // from quarantine has a gap of its own from there on.
    target.exec(
        "UPDATE pgchronicle.gap g SET to_lsn = GREATEST(g.to_lsn, coalesce((SELECT q.from_lsn"
        " FROM pgchronicle.quarantine q WHERE q.pipeline = $1 AND q.source_schema = $2"
        " AND q.source_table = $3), $4::pg_lsn)) FROM pgchronicle.table_state t"
        " WHERE g.pipeline = $1 AND g.source_table IS NULL"
        " AND g.reason = $5 AND t.pipeline = g.pipeline AND t.source_schema = $2"
        " AND t.source_table = $3"
        " AND coalesce(GREATEST(t.seam, t.compared), '0/0'::pg_lsn) <= g.from_lsn",
        {pipeline, table.source_schema, table.source_table, to_string(seam), slot_lost_reason}
    );
}

}  // namespace pgchronicle::history_writer::pg
