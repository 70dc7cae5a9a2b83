#include "initial_copy/source_snapshot.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>

namespace pgchronicle::initial_copy {
namespace {

constexpr char partitioned = 'p';

/// A statement may not have begun yet when it is cancelled, so that is done again and again.
constexpr std::chrono::seconds cancel_interval{1};

/// Cancels what `connection` runs unless done in time.
class Deadline {
public:
    Deadline(pq::Connection& connection, std::chrono::seconds timeout, std::stop_token stop)
        : thread_{[this, &connection, timeout, stop](const std::stop_token& done) {
              std::unique_lock lock{mutex_};
              const std::stop_callback wake{stop, [this] { changed_.notify_all(); }};
              const auto give_up = [&] { return stop.stop_requested(); };
              changed_.wait_for(lock, done, timeout, give_up);
              while (!done.stop_requested()) {
                  connection.interrupt(false);
                  changed_.wait_for(lock, done, cancel_interval, [] { return false; });
              }
          }} {}

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::jthread thread_;
};

std::string blockers(const SnapshotOptions& options) {
    auto source = pq::Connection::open(options.source);
    // Without pg_read_all_stats, other roles' start times are NULL.
    const auto rows = source.exec(
        "SELECT pg_catalog.format('prepared transaction \"%s\" of database \"%s\", prepared at %s',"
        " gid, database, prepared) FROM pg_catalog.pg_prepared_xacts UNION ALL"
        " SELECT pg_catalog.format('process %s (%s)', pid, application_name)"
        " || COALESCE(', in a transaction since ' || xact_start, '')"
        " FROM pg_catalog.pg_stat_activity"
        " WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() LIMIT 5"
    );
    std::string list;
    for (int i = 0; i < rows.rows(); ++i) list += (i == 0 ? "" : "; ") + rows.str(i, 0);
    return list.empty() ? "nobody can be seen that holds it up" : list;
}

}  // namespace

pq::Result exec_in_time(
    pq::Connection& connection,
    const std::string& sql,
    const SnapshotOptions& options,
    const std::stop_token& stop
) {
    try {
        const Deadline deadline{connection, options.timeout, stop};
        return connection.exec(sql);
    } catch (const pq::Error& error) {
        constexpr const char* query_canceled = "57014";
        if (error.sqlstate() != query_canceled || stop.stop_requested()) throw;
        throw pq::Error{
            {query_canceled,
             "could not create a replication slot or its snapshot in time",
             "It waits for transactions that were running before: " + blockers(options) + ".",
             "End them; it is tried again.",
             "",
             false}};
    }
}

namespace {

/// All in one statement: what happens to a table before its lock is noticed only afterwards.
std::string lock_sql(const std::vector<PendingTable>& tables) {
    std::string list;
    for (const auto& pending : tables) {
        list += fmt::format(
            "{}{}{}",
            list.empty() ? "" : ", ",
            pending.source.kind == partitioned ? "" : "ONLY ",
            pq::quote_qualified(pending.source.schema_name, pending.source.name)
        );
    }
    return "LOCK TABLE " + list + " IN ACCESS SHARE MODE";
}

[[noreturn]] void changed_meanwhile(const std::string& detail) {
    throw pq::Error{
        {"40001",
         "a table changed while the snapshot was taken",
         detail,
         "The snapshot is tried again.",
         "",
         false}};
}

/// The server tells the name of one table, without its schema.
[[noreturn]] void may_not_read(const pq::Error& error, const std::vector<PendingTable>& tables) {
    std::string names;
    for (const auto& pending : tables) {
        names += fmt::format(
            "{}\"{}.{}\"",
            names.empty() ? "" : ", ",
            pending.source.schema_name,
            pending.source.name
        );
    }
    throw pq::Error{
        {.sqlstate = error.sqlstate(),
         .primary = error.primary(),
         .detail = "The source's role has to read what is to be copied: " + names + ".",
         .hint = "Grant it SELECT, and USAGE on the schema: \"pgchronicle check\" prints the SQL. "
                 "Or leave the table out: tables.exclude.",
         .context = error.context()}};
}

/// Whether the tables still are, physically, what the connection's snapshot says they are.
/// pg_class is read with the snapshot; pg_relation_filenode and pg_partition_tree tell of now.
void require_unchanged(pq::Connection& locked, const std::vector<PendingTable>& tables) {
    std::string ids;
    for (const auto& pending : tables) {
        ids += fmt::format(
            "{}{}", ids.empty() ? "" : ",", static_cast<std::uint32_t>(pending.source.id)
        );
    }
    const auto changed = locked.exec(fmt::format(
        "WITH RECURSIVE wanted AS (SELECT unnest('{{{}}}'::pg_catalog.oid[]) AS oid),"
        " seen AS (SELECT c.oid, c.oid AS root, c.relkind, c.relfilenode"
        " FROM wanted JOIN pg_catalog.pg_class c USING (oid)"
        " UNION ALL SELECT c.oid, s.root, c.relkind, c.relfilenode FROM seen s"
        " JOIN pg_catalog.pg_inherits i ON i.inhparent = s.oid AND s.relkind = 'p'"
        " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid)"
        " SELECT oid::pg_catalog.regclass::text FROM wanted WHERE oid NOT IN (SELECT oid FROM seen)"
        " UNION ALL SELECT oid::pg_catalog.regclass::text FROM seen WHERE relkind <> 'p'"
        " AND relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(oid)"
        " UNION ALL (SELECT root::pg_catalog.regclass::text FROM"
        " (SELECT root, oid FROM seen WHERE relkind = 'p' OR oid <> root) was FULL JOIN"
        " (SELECT s.oid AS root, t.relid::pg_catalog.oid AS oid FROM seen s CROSS JOIN LATERAL"
        " pg_catalog.pg_partition_tree(s.oid) t WHERE s.oid = s.root AND s.relkind = 'p') now"
        " USING (root, oid) WHERE was IS NULL OR now IS NULL)",
        ids
    ));
    if (changed.rows() == 0) return;
    changed_meanwhile(
        "Table " + changed.str(0, 0) +
        " was truncated, rewritten, dropped or given other partitions."
    );
}

}  // namespace

SourceSnapshot take_snapshot(
    const SnapshotOptions& options,
    const std::vector<PendingTable>& tables,
    const std::stop_token& stop
) {
    SourceSnapshot taken;
    // Opened beforehand: the less lies between the snapshot and the locks, the better.
    for (unsigned i = 0; i < std::max(1U, options.connections_max); ++i) {
        taken.connections.push_back(pq::Connection::open(options.source));
    }
    auto replication = options.source;
    replication.replication = true;
    auto slot_connection = pq::Connection::open(replication);
    taken.stamp.time = slot_connection.exec("SELECT clock_timestamp()").str(0, 0);
    taken.stamp.commit_times = options.commit_times;

    // No lock is held yet: the slot waits for every transaction that runs, and one of those might
    // be waiting for ours.
    const auto slot = exec_in_time(slot_connection, options.create_slot_command, options, stop);
    // slot_name, consistent_point, snapshot_name, output_plugin
    taken.stamp.seam = pgoutput::parse_lsn(slot.text(0, 1)).value_or(pgoutput::Lsn{});
    const auto begin = fmt::format(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
        pq::quote_literal(slot.str(0, 2))
    );
    for (auto& connection : taken.connections) connection.exec(begin);

    auto& first = taken.connections.front();
    if (tables.empty()) return taken;
    const auto lock = lock_sql(tables);
    try {
        (void)exec_in_time(first, lock, options, stop);
    } catch (const pq::Error& error) {
        constexpr const char* undefined_table = "42P01";
        constexpr const char* insufficient_privilege = "42501";
        if (error.sqlstate() == undefined_table) changed_meanwhile(error.primary() + ".");
        if (error.sqlstate() == insufficient_privilege) may_not_read(error, tables);
        throw;
    }
    require_unchanged(first, tables);
    // Each holds the locks itself: were they the first one's only, a TRUNCATE that waits for that
    // one would make the others wait for the TRUNCATE. Who cannot have them at once is not needed.
    for (auto other = std::next(taken.connections.begin()); other != taken.connections.end();) {
        try {
            other->exec(lock + " NOWAIT");
            ++other;
        } catch (const pq::Error& error) {
            constexpr const char* lock_not_available = "55P03";
            if (error.sqlstate() != lock_not_available) throw;
            other = taken.connections.erase(other);
        }
    }
    taken.stamp.seam_time = first.exec("SELECT clock_timestamp()").str(0, 0);
    return taken;
}

}  // namespace pgchronicle::initial_copy
