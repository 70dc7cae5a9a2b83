#include "history_writer/pg/replay_store.hpp"

namespace pgchronicle::history_writer::pg {

std::optional<Replay> read_replay(pq::Connection& target, const std::string& pipeline) {
    const auto row = target.exec(
        "SELECT slot, from_lsn, until_lsn FROM pgchronicle.replay WHERE pipeline = $1", {pipeline}
    );
    if (row.rows() == 0) return std::nullopt;
    Replay replay;
    replay.slot = row.str(0, 0);
    replay.from = pgoutput::parse_lsn(row.text(0, 1));
    replay.until = pgoutput::parse_lsn(row.text(0, 2)).value_or(pgoutput::Lsn{});
    return replay;
}

void announce_replay(pq::Connection& target, const std::string& pipeline, const std::string& slot) {
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    target.exec(
        "INSERT INTO pgchronicle.replay (pipeline, slot) VALUES ($1, $2)"
        " ON CONFLICT (pipeline) DO UPDATE SET slot = excluded.slot",
        {pipeline, slot}
    );
    target.exec("COMMIT");
}

void clear_replay(pq::Connection& target, const std::string& pipeline) {
    target.exec("DELETE FROM pgchronicle.replay_shape WHERE pipeline = $1", {pipeline});
    target.exec("DELETE FROM pgchronicle.replay WHERE pipeline = $1", {pipeline});
}

void forget_replay(pq::Connection& target, const std::string& pipeline) {
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    clear_replay(target, pipeline);
    target.exec("COMMIT");
}

}  // namespace pgchronicle::history_writer::pg
