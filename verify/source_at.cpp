#include "verify/source_at.hpp"

#include "history_writer/history_table.hpp"
#include "history_writer/table_pattern.hpp"
#include "pq/quoting.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pgchronicle::verify {
namespace {

using initial_copy::PendingTable;
using source_catalog::Table;

/// Tables that are truncated or dropped just while the snapshot is taken.
constexpr int snapshot_tries_max = 5;

std::vector<Table>
published_tables(pq::Connection& source, const config::Settings& settings, const Options& options) {
    std::vector<Table> tables;
    for (auto& table : source_catalog::read_tables(source, settings.source.publications)) {
        if (!history_writer::wanted(table.schema_name, table.name, settings)) continue;
        if (!asked_for(options, table.schema_name, table.name)) continue;
        tables.push_back(std::move(table));
    }
    return tables;
}

/// Has the server look at each column that will be read. The catalog is read with the snapshot, but
/// statements go by what the table is now: a column may have been renamed or dropped before the
/// lock was there.
void require_readable(pq::Connection& source, const std::vector<Table>& tables) {
    std::string all;
    for (const auto& table : tables) {
        std::string columns;
        for (const auto& column : table.columns) {
            columns += (columns.empty() ? "" : ", ") + pq::quote_identifier(column.name);
        }
        all += fmt::format(
            "SELECT {} FROM {} t{} LIMIT 0;",
            columns,
            pq::quote_qualified(table.schema_name, table.name),
            table.row_filter ? " WHERE " + *table.row_filter : ""
        );
    }
    if (!all.empty()) source.exec(all);
}

/// Whether it may go well when the snapshot is taken once more.
bool changed_meanwhile(const pq::Error& error) {
    constexpr std::array passing{"40001", "42703", "42P01"};
    return std::ranges::any_of(passing, [&](const char* code) { return error.sqlstate() == code; });
}

/// The snapshot, and the tables that are locked as they are there.
void take(
    SourceAt& at,
    pq::Connection& source,
    const initial_copy::SnapshotOptions& snapshot,
    const config::Settings& settings,
    const Options& options
) {
    // A change that waits for the locks of the try before would never come.
    at.snapshot = {};
    std::vector<PendingTable> locked;
    for (auto& table : published_tables(source, settings, options)) {
        locked.emplace_back().source = std::move(table);
    }
    at.snapshot = initial_copy::take_snapshot(snapshot, locked, options.stop);
    at.tables = published_tables(at.connection(), settings, options);
    // One that was published only now is not locked.
    std::erase_if(at.tables, [&](const Table& table) {
        return std::ranges::none_of(locked, [&](const PendingTable& pending) {
            return pending.source.id == table.id;
        });
    });
    require_readable(at.connection(), at.tables);
}

}  // namespace

bool names_table(const std::string& pattern, const std::string& schema, const std::string& table) {
    const bool qualified = pattern.find('.') != std::string::npos;
    const auto parsed = history_writer::TablePattern::parse(qualified ? pattern : "*." + pattern);
    return parsed && parsed->matches(schema, table);
}

bool asked_for(const Options& options, const std::string& schema, const std::string& table) {
    if (options.tables.empty()) return true;
    return std::ranges::any_of(options.tables, [&](const std::string& pattern) {
        return names_table(pattern, schema, table);
    });
}

SourceAt take_source(const config::Settings& settings, const Options& options) {
    auto source = pq::Connection::open(options.source);
    SourceAt at;
    at.server = source_catalog::read_server(source);
    initial_copy::SnapshotOptions snapshot;
    snapshot.source = options.source;
    snapshot.create_slot_command = replicator::create_snapshot_slot(
        "pgchronicle_verify_" + std::to_string(source.backend_pid()), source.server_version()
    );
    snapshot.connections_max = 1;
    snapshot.timeout = options.timeout;
    for (int tries = 1;; ++tries) {
        try {
            take(at, source, snapshot, settings, options);
            return at;
        } catch (const pq::Error& error) {
            if (!changed_meanwhile(error) || tries == snapshot_tries_max) throw;
        }
    }
}

}  // namespace pgchronicle::verify
