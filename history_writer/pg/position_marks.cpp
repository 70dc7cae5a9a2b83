#include "history_writer/pg/position_marks.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

std::vector<PositionMark> read_position_marks(pq::Connection& target, const std::string& pipeline) {
    const auto rows = target.exec(
        "SELECT position, GREATEST(0, extract(epoch FROM clock_timestamp() - stored_at) * 1000)"
        "::bigint FROM pgchronicle.position_mark WHERE pipeline = $1 ORDER BY position",
        {pipeline}
    );
    std::vector<PositionMark> marks;
    for (int i = 0; i < rows.rows(); ++i) {
        const auto position = pgoutput::parse_lsn(rows.text(i, 0)).value_or(pgoutput::Lsn{});
        marks.push_back({position, std::chrono::milliseconds{rows.int64(i, 1)}});
    }
    return marks;
}

void send_position_mark(
    pq::Connection& target,
    const pq::Param& pipeline,
    const pq::Param& position,
    std::chrono::milliseconds window
) {
    const pq::Param mark[] = {pipeline, position};
    target.send(
        "INSERT INTO pgchronicle.position_mark (pipeline, position, stored_at)"
        " VALUES ($1, $2::pg_lsn, clock_timestamp()) ON CONFLICT DO NOTHING",
        mark
    );
    // The newest of those that are old enough is where the slot may stand.
    target.send(
        fmt::format(
            "DELETE FROM pgchronicle.position_mark m WHERE m.pipeline = $1 AND EXISTS (SELECT"
            " FROM pgchronicle.position_mark n WHERE n.pipeline = m.pipeline AND n.position >"
            " m.position AND n.stored_at < clock_timestamp() - interval '{} ms')",
            window.count()
        ),
        {&pipeline, 1}
    );
}

}  // namespace pgchronicle::history_writer::pg
