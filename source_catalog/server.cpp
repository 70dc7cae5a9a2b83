#include "pq/array_text.hpp"
#include "source_catalog/catalog.hpp"

#include <cstdint>

// The server, its slots and its publications; the tables are in tables.cpp.

namespace pgchronicle::source_catalog {
namespace {

/// 0/0 for NULL.
pgoutput::Lsn lsn_of(const pq::Result& result, int row, int column) {
    return pgoutput::parse_lsn(result.text(row, column)).value_or(pgoutput::Lsn{});
}

// pg_control_checkpoint() knows the timeline of the last checkpoint only; the current file's name
// knows it now, but cannot be asked for in recovery.
constexpr const char* server_sql = R"(
SELECT s.system_identifier,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN (SELECT timeline_id::bigint FROM pg_catalog.pg_control_checkpoint())
            ELSE ('x' || pg_catalog.left(
                     pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8
                 ))::bit(32)::bigint
       END,
       pg_catalog.current_database(),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('track_commit_timestamp') = 'on',
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_flush_lsn()
       END,
       r.rolname,
       r.rolsuper,
       r.rolreplication,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g
             WHERE g.rolreplication AND NOT r.rolsuper AND g.oid <> r.oid
               AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')
             ORDER BY 1),
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g
             WHERE g.rolreplication AND NOT g.rolsuper AND g.oid <> r.oid
               AND pg_catalog.pg_has_role(g.oid, r.oid, 'MEMBER')
             ORDER BY 1),
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout')
FROM pg_catalog.pg_control_system() s, pg_catalog.pg_roles r
WHERE r.rolname = current_user
)";

}  // namespace

Server read_server(pq::Connection& source) {
    const pq::Result result = source.exec(server_sql);
    Server server;
    server.version = source.server_version();
    server.system_identifier = result.str(0, 0);
    server.timeline = static_cast<std::uint32_t>(result.int64(0, 1));
    server.database = result.str(0, 2);
    server.wal_level = result.str(0, 3);
    server.in_recovery = result.boolean(0, 4);
    server.track_commit_timestamp = result.boolean(0, 5);
    server.flush_lsn = lsn_of(result, 0, 6);
    server.role = result.str(0, 7);
    server.superuser = result.boolean(0, 8);
    server.replication = result.boolean(0, 9);
    server.replication_through = pq::parse_array_text(result.text(0, 10));
    server.replication_members = pq::parse_array_text(result.text(0, 11));
    server.wal_sender_timeout_ms = result.int64(0, 12);
    return server;
}

std::optional<Slot> read_slot(pq::Connection& source, const std::string& name) {
    const int version = source.server_version();
    std::string reason = "NULL";
    if (version >= 160000) reason = "CASE WHEN conflicting THEN 'conflict' END";
    if (version >= 170000) reason = "invalidation_reason";
    const pq::Result result = source.exec(
        "SELECT slot_name, plugin, database, active, active_pid, restart_lsn, confirmed_flush_lsn,"
        " wal_status, safe_wal_size, two_phase, temporary, " +
            reason + " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
        {name}
    );
    if (result.rows() == 0) return std::nullopt;
    Slot slot;
    slot.name = result.str(0, 0);
    slot.plugin = result.str(0, 1);
    slot.database = result.str(0, 2);
    slot.active = result.boolean(0, 3);
    slot.active_pid = result.null(0, 4) ? 0 : static_cast<int>(result.int64(0, 4));
    slot.restart_lsn = lsn_of(result, 0, 5);
    slot.confirmed_flush_lsn = lsn_of(result, 0, 6);
    slot.wal_status = result.str(0, 7);
    if (!result.null(0, 8)) slot.safe_wal_bytes = result.int64(0, 8);
    slot.two_phase = result.boolean(0, 9);
    slot.temporary = result.boolean(0, 10);
    slot.invalidation_reason = result.str(0, 11);
    return slot;
}

std::vector<Publication>
read_publications(pq::Connection& source, std::span<const std::string> names) {
    const pq::Result result = source.exec(
        "SELECT p.pubname, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,"
        " p.pubviaroot"
        " FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS wanted(name, position)"
        " JOIN pg_catalog.pg_publication p ON p.pubname = wanted.name"
        " ORDER BY wanted.position",
        {pq::array_text(names)}
    );
    std::vector<Publication> publications;
    publications.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) {
        publications.push_back({
            .name = result.str(row, 0),
            .all_tables = result.boolean(row, 1),
            .inserts = result.boolean(row, 2),
            .updates = result.boolean(row, 3),
            .deletes = result.boolean(row, 4),
            .truncates = result.boolean(row, 5),
            .via_root = result.boolean(row, 6),
        });
    }
    return publications;
}

}  // namespace pgchronicle::source_catalog
