#include "history_writer/pg/bookmark_store.hpp"

namespace pgchronicle::history_writer::pg {

namespace {

/// The point in columns `column` and the two after it; nothing where they are NULL.
std::optional<ReplayPoint> point_of(const pq::Result& rows, int row, int column) {
    if (rows.null(row, column)) return std::nullopt;
    const auto lsn = [&](int i) {
        return pgoutput::parse_lsn(rows.text(row, i)).value_or(pgoutput::Lsn{});
    };
    return ReplayPoint{lsn(column), lsn(column + 1), rows.str(row, column + 2)};
}

}  // namespace

std::vector<Bookmark> read_bookmarks(pq::Connection& target, const std::string& pipeline) {
    const auto rows = target.exec(
        "SELECT name, slot, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"
        "), position, last_commit_end, coalesce(last_commit_time::text, '')"
        " FROM pgchronicle.bookmark WHERE pipeline = $1 ORDER BY created_at, name",
        {pipeline}
    );
    std::vector<Bookmark> bookmarks;
    for (int i = 0; i < rows.rows(); ++i) {
        bookmarks.push_back({rows.str(i, 0), rows.str(i, 1), point_of(rows, i, 3), rows.str(i, 2)});
    }
    return bookmarks;
}

bool announce_bookmark(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& name,
    const std::string& slot
) {
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    const auto made = target.exec(
        "INSERT INTO pgchronicle.bookmark (pipeline, name, slot) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING RETURNING name",
        {pipeline, name, slot}
    );
    target.exec("COMMIT");
    return made.rows() == 1;
}

ReplayPoint
finish_bookmark(pq::Connection& target, const std::string& pipeline, const std::string& name) {
    // What this reads may be a commit that is not on disk yet. Ours comes after it in the target's
    // WAL, and is waited for.
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    const auto row = target.exec(
        "UPDATE pgchronicle.bookmark b SET position = c.position,"
        " last_commit_end = c.last_commit_end, last_commit_time = c.last_commit_time"
        " FROM pgchronicle.checkpoint c WHERE b.pipeline = $1 AND b.name = $2"
        " AND c.pipeline = b.pipeline"
        " RETURNING b.position, b.last_commit_end, coalesce(b.last_commit_time::text, '')",
        {pipeline, name}
    );
    target.exec("COMMIT");
    const auto point = row.rows() == 1 ? point_of(row, 0, 0) : std::nullopt;
    if (!point) {
        throw pq::Error{
            {"P0002", "bookmark \"" + name + "\" was dropped meanwhile", "", "", "", false}};
    }
    return *point;
}

std::vector<KeptSlot> read_kept_slots(pq::Connection& target) {
    const auto there = target.exec(
        "SELECT to_regclass('pgchronicle.bookmark') IS NOT NULL"
        " AND to_regclass('pgchronicle.replay') IS NOT NULL"
    );
    if (!there.boolean(0, 0)) return {};
    const auto rows = target.exec(
        "SELECT true, pipeline, name, slot, position, created_at FROM pgchronicle.bookmark"
        " UNION ALL SELECT false, pipeline, '', slot, from_lsn, begun_at FROM pgchronicle.replay"
        " ORDER BY 6, 2, 3"
    );
    std::vector<KeptSlot> kept;
    for (int i = 0; i < rows.rows(); ++i) {
        kept.push_back(
            {rows.boolean(i, 0) ? KeptSlot::Purpose::bookmark : KeptSlot::Purpose::replay,
             rows.str(i, 1),
             rows.str(i, 2),
             rows.str(i, 3),
             pgoutput::parse_lsn(rows.text(i, 4))}
        );
    }
    return kept;
}

void delete_bookmark(pq::Connection& target, const std::string& pipeline, const std::string& name) {
    target.exec(
        "DELETE FROM pgchronicle.bookmark WHERE pipeline = $1 AND name = $2", {pipeline, name}
    );
}

}  // namespace pgchronicle::history_writer::pg
