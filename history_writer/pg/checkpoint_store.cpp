#include "history_writer/pg/checkpoint_store.hpp"

#include "history_writer/pg/mismatch.hpp"
#include "pq/array_text.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;

namespace {

Lsn lsn_of(const pq::Result& row, int column) {
    const auto lsn = pgoutput::parse_lsn(row.text(0, column));
    if (!lsn) {
        throw pq::Error{
            {"XX001",
             fmt::format("invalid checkpoint value \"{}\"", row.text(0, column)),
             "",
             "",
             "",
             false}};
    }
    return *lsn;
}

}  // namespace

std::string timestamp_as_microseconds(const std::string& expression) {
    return fmt::format(
        "((extract(epoch FROM {})::numeric - {}) * 1000000)::bigint",
        expression,
        pgoutput::unix_to_pg_epoch_seconds
    );
}

std::optional<Checkpoint> read_checkpoint(pq::Connection& target, const std::string& pipeline) {
    const auto row = target.exec(
        fmt::format(
            "SELECT system_identifier, timeline, database_name, slot, slot_start, last_commit_end,"
            " position, {}, {} FROM pgchronicle.checkpoint WHERE pipeline = $1",
            timestamp_as_microseconds("last_commit_time"),
            timestamp_as_microseconds("slot_start_time")
        ),
        {pipeline}
    );
    if (row.rows() == 0) return std::nullopt;
    Checkpoint checkpoint;
    checkpoint.source.system_identifier = row.str(0, 0);
    checkpoint.source.timeline = static_cast<std::uint32_t>(row.int64(0, 1));
    checkpoint.source.database = row.str(0, 2);
    checkpoint.source.slot = row.str(0, 3);
    checkpoint.slot_start = lsn_of(row, 4);
    checkpoint.last_commit_end = lsn_of(row, 5);
    checkpoint.position = lsn_of(row, 6);
    if (!row.null(0, 7)) checkpoint.last_commit_time = pgoutput::PgTimestamp{row.int64(0, 7)};
    if (!row.null(0, 8)) checkpoint.slot_start_time = pgoutput::PgTimestamp{row.int64(0, 8)};

    const auto publications = target.exec(
        "SELECT unnest(publications) FROM pgchronicle.checkpoint WHERE pipeline = $1", {pipeline}
    );
    for (int i = 0; i < publications.rows(); ++i) {
        checkpoint.source.publications.push_back(publications.str(i, 0));
    }
    return checkpoint;
}

void require_position(pq::Connection& target, const std::string& pipeline, pgoutput::Lsn position) {
    const auto checkpoint = read_checkpoint(target, pipeline);
    if (!checkpoint) {
        throw CheckpointMismatch{
            fmt::format("checkpoint of pipeline \"{}\" has disappeared", pipeline),
            fmt::format("It stood at {} when it was written last.", to_string(position)),
            "Somebody has deleted its row in pgchronicle.checkpoint. Restore it as it was; what "
            "was "
            "not stored is still in the slot."};
    }
    if (checkpoint->position == position) return;
    throw CheckpointMismatch{
        fmt::format(
            "checkpoint of pipeline \"{}\" is not at {} any more", pipeline, to_string(position)
        ),
        fmt::format("It is at {}: somebody else has moved it.", to_string(checkpoint->position)),
        "Nothing was written. Find out who, then start again."};
}

void write_first_checkpoint(
    pq::Connection& target,
    const std::string& pipeline,
    const Checkpoint& checkpoint
) {
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    const auto start = to_string(checkpoint.slot_start);
    target.exec(
        "INSERT INTO pgchronicle.checkpoint (pipeline, system_identifier, timeline, database_name,"
        " slot, publications, slot_start, last_commit_end, position)"
        " VALUES ($1, $2, $3::integer, $4, $5, $6::text[], $7::pg_lsn, $7::pg_lsn, $7::pg_lsn)",
        {pipeline,
         checkpoint.source.system_identifier,
         std::to_string(checkpoint.source.timeline),
         checkpoint.source.database,
         checkpoint.source.slot,
         pq::array_text(checkpoint.source.publications),
         start}
    );
    target.exec("COMMIT");
}

void store_publications(
    pq::Connection& target,
    const std::string& pipeline,
    const std::vector<std::string>& publications
) {
    target.exec(
        "UPDATE pgchronicle.checkpoint SET publications = $2::text[] WHERE pipeline = $1",
        {pipeline, pq::array_text(publications)}
    );
}

}  // namespace pgchronicle::history_writer::pg
