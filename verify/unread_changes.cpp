#include "verify/unread_changes.hpp"

#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::verify {
namespace {

/// Messages that are looked at, a slot of 14 telling two of each empty transaction: a source that
/// was busy with other things for days is not read through.
constexpr std::int64_t messages_max = 10'000;

/// Empty transactions are Begin, Origin and Commit; whatever else comes may be a change.
std::string peek_sql(bool two_phase) {
    return fmt::format(
        "WITH messages AS MATERIALIZED (SELECT p.lsn, p.xid::text AS xid,"
        " pg_catalog.get_byte(p.data, 0) NOT IN ({}, {}, {}) AS changes"
        " FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, $3::pg_lsn, {},"
        " 'proto_version', '{}', 'publication_names', $4{}) p),"
        // The last message of a transaction stands where its commit ends.
        " transactions AS (SELECT pg_catalog.max(lsn) AS end_lsn,"
        " pg_catalog.bool_or(changes) AS changes FROM messages GROUP BY xid)"
        " SELECT (SELECT pg_catalog.count(*) FROM messages),"
        " EXISTS (SELECT FROM transactions WHERE changes AND end_lsn > $2::pg_lsn"
        " AND end_lsn <= $3::pg_lsn)",
        int{'B'},
        int{'C'},
        int{'O'},
        messages_max,
        // 3 brought two-phase commit; 1 is enough otherwise.
        two_phase ? 3 : 1,
        two_phase ? ", 'two_phase', 'on'" : ""
    );
}

}  // namespace

Unread unread_changes(
    const pq::ConnectOptions& source,
    const config::Settings& settings,
    const UnreadRange& range,
    std::chrono::seconds timeout,
    const std::stop_token& stop
) {
    auto connection = pq::Connection::open(source);
    const std::stop_callback cut{stop, [&] { connection.interrupt(true); }};
    const auto slot = source_catalog::read_slot(connection, settings.source.slot);
    // Of a slot that is ahead nobody knows what it has let go of.
    if (!slot || slot->active || slot->lost() || slot->plugin != "pgoutput" ||
        slot->confirmed_flush_lsn > range.stored) {
        return Unread::untold;
    }
    bool skipped = false;
    constexpr std::string_view not_in_prerequisite_state = "55000";
    connection.on_notice([&](std::string_view severity, std::string_view sqlstate, auto) {
        // From 18 on, a publication that is not there is passed over.
        if (severity == "WARNING" && sqlstate == not_in_prerequisite_state) skipped = true;
    });
    const bool two_phase =
        slot->two_phase && connection.server_version() >= replicator::two_phase_version;
    try {
        connection.exec(fmt::format("SET statement_timeout = '{}s'", timeout.count()));
        const auto found = connection.exec(
            peek_sql(two_phase),
            {slot->name,
             to_string(range.stored),
             to_string(range.upto),
             replicator::publication_names(settings.source.publications)}
        );
        if (found.boolean(0, 1)) return Unread::changes;
        return skipped || found.int64(0, 0) >= messages_max ? Unread::untold : Unread::nothing;
    } catch (const pq::Error& error) {
        if (error.connection_lost() || stop.stop_requested()) throw;
        return Unread::untold;
    }
}

}  // namespace pgchronicle::verify
