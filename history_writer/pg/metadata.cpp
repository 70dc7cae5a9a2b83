#include "history_writer/pg/metadata.hpp"

#include <fmt/format.h>

namespace pgchronicle::embedded {
extern const char* const metadata_sql;
}

namespace pgchronicle::history_writer::pg {

namespace {

std::string lock_key(const std::string& pipeline) {
    return "pgchronicle/" + pipeline;
}

/// Held beside that one.
std::string retrying_key(const std::string& pipeline) {
    return "pgchronicle retrying/" + pipeline;
}

/// Rows of pg_locks `l` that are the granted lock on key $1.
constexpr const char* held_lock =
    "pg_locks l, (SELECT hashtextextended($1, 0) AS key) k"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid::bigint = (k.key >> 32) & 4294967295"
    " AND l.objid::bigint = k.key & 4294967295";

}  // namespace

std::string pipeline_lock_holder(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& nobody
) {
    const auto found = target.exec(
        fmt::format(
            "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'local'),"
            // Another role's start is not for everybody to see.
            " coalesce(', connected since ' || to_char(a.backend_start AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD HH24:MI:SS \"UTC\"'), '')"
            " FROM pg_stat_activity a WHERE a.pid = (SELECT l.pid FROM {})",
            held_lock
        ),
        {lock_key(pipeline)}
    );
    if (found.rows() == 0) return nobody;
    return fmt::format(
        "process {} (\"{}\") from {}{}",
        found.text(0, 0),
        found.text(0, 1),
        found.text(0, 2),
        found.text(0, 3)
    );
}

bool has_metadata(pq::Connection& target) {
    return target.exec("SELECT to_regclass('pgchronicle.checkpoint') IS NOT NULL").boolean(0, 0);
}

void ensure_metadata(pq::Connection& target) {
    // Notices of IF NOT EXISTS say nothing that anybody needs.
    target.exec(fmt::format(
        "BEGIN; SET LOCAL client_min_messages = warning;"
        " SELECT pg_advisory_xact_lock(hashtextextended('pgchronicle metadata', 0)); {} COMMIT",
        embedded::metadata_sql
    ));
}

bool try_lock_pipeline(pq::Connection& target, const std::string& pipeline) {
    return target.exec("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {lock_key(pipeline)})
        .boolean(0, 0);
}

void mark_retrying(pq::Connection& target, const std::string& pipeline) {
    target.exec("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {retrying_key(pipeline)});
}

void unmark_retrying(pq::Connection& target, const std::string& pipeline) {
    target.exec("SELECT pg_advisory_unlock(hashtextextended($1, 0))", {retrying_key(pipeline)});
}

bool is_retrying(pq::Connection& target, const std::string& pipeline) {
    const auto found =
        target.exec(fmt::format("SELECT l.pid FROM {}", held_lock), {retrying_key(pipeline)});
    return found.rows() != 0;
}

bool holds_pipeline_lock(
    pq::Connection& target,
    const std::string& pipeline,
    std::int64_t backend_pid
) {
    const auto found =
        target.exec(fmt::format("SELECT l.pid FROM {}", held_lock), {lock_key(pipeline)});
    return found.rows() == 1 && found.int64(0, 0) == backend_pid;
}

}  // namespace pgchronicle::history_writer::pg
