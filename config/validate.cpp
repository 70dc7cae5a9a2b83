#include "config/validate.hpp"

#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace pgchronicle::config {

namespace {

using namespace std::chrono_literals;

/// PostgreSQL's limit on names: NAMEDATALEN - 1.
constexpr std::size_t name_bytes_max = 63;

/// COPY reads whole pages of the source's heap, so a chunk has one at least.
constexpr std::uint64_t page_bytes = 8192;

/// One batch is being built, one waits and one is being written.
constexpr std::uint64_t batches_in_memory = 3;

/// Collects problems; each check adds what it finds.
class Findings {
public:
    void add(std::string key, std::string message, std::string detail = {}, std::string hint = {}) {
        problems_.push_back(
            {{}, 0, std::move(key), std::move(message), std::move(detail), std::move(hint)}
        );
    }

    void between(
        const std::string& key,
        milliseconds value,
        milliseconds smallest,
        milliseconds largest
    ) {
        if (value >= smallest && value <= largest) return;
        add(key,
            format_duration(value) + " is out of range",
            {},
            "Allowed: " + format_duration(smallest) + " to " + format_duration(largest) + ".");
    }

    void size_at_least(const std::string& key, std::uint64_t value, std::uint64_t smallest) {
        if (value >= smallest) return;
        add(key,
            format_size(value) + " is too small",
            {},
            "At least " + format_size(smallest) + " is needed.");
    }

    /// A name that PostgreSQL would take as it is, if quoted.
    void name(const std::string& key, const std::string& value) {
        if (value.empty()) add(key, "name must not be empty");
        if (value.size() > name_bytes_max) {
            add(key, "name " + quoted(value) + " is too long", "PostgreSQL cuts names at 63 bytes."
            );
        }
    }

    [[nodiscard]] std::vector<Problem> take() { return std::move(problems_); }

private:
    std::vector<Problem> problems_;
};

bool is_slot_name(std::string_view text) {
    return !text.empty() && text.size() <= name_bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

/// True for `schema.table`, with neither side empty.
bool is_qualified(std::string_view text) {
    const auto dot = text.find('.');
    return dot != std::string_view::npos && dot > 0 && dot + 1 < text.size();
}

std::string item(const std::string& list, std::size_t index) {
    return list + '[' + std::to_string(index) + ']';
}

void check_connection(Findings& findings, const std::string& side, const Connection& connection) {
    findings.between(side + ".connect_timeout", connection.connect_timeout, 1s, 1h);
    findings.between(side + ".tcp_user_timeout", connection.tcp_user_timeout, 100ms, 1h);
}

void check_source(Findings& findings, const Source& source) {
    check_connection(findings, "source", source.connection);
    if (!is_slot_name(source.slot)) {
        findings.add(
            "source.slot",
            "invalid slot name " + quoted(source.slot),
            {},
            "Slot names are 1 to 63 lower-case letters, digits and underscores."
        );
    }
    if (source.publications.empty()) {
        findings.add("source.publication", "at least one publication is needed");
    }
    std::set<std::string> seen;
    for (std::size_t index = 0; index < source.publications.size(); ++index) {
        const auto& publication = source.publications[index];
        const auto key = item("source.publication", index);
        findings.name(key, publication);
        if (!seen.insert(publication).second) {
            findings.add(key, "publication " + quoted(publication) + " is listed twice");
        }
    }
    findings.between("source.receive_timeout", source.receive_timeout, 100ms, 24h);
}

void check_slot_lost(Findings& findings, const Settings& settings) {
    if (settings.source.on_slot_lost == OnSlotLost::stop) return;
    if (settings.snapshot == Snapshot::initial) return;
    findings.add(
        "source.on_slot_lost",
        "\"reconcile\" compares the tables with a snapshot, and snapshot is never",
        {},
        "Use snapshot: initial, or on_slot_lost: stop."
    );
}

void check_schema(Findings& findings, const std::string& schema) {
    constexpr std::string_view placeholder = "{schema}";
    const std::string key = "target.schema";
    std::string fixed = schema;
    while (true) {
        const auto start = fixed.find(placeholder);
        if (start == std::string::npos) break;
        fixed.erase(start, placeholder.size());
    }
    if (fixed.find_first_of("{}") != std::string::npos) {
        findings.add(
            key,
            "invalid pattern " + quoted(schema),
            {},
            "{schema}, the source table's schema, is the only placeholder there is."
        );
    }
    if (schema.empty() || fixed.size() > name_bytes_max) findings.name(key, fixed);
    if (schema == "pgchronicle" || schema == "information_schema" || schema.starts_with("pg_")) {
        findings.add(
            key,
            "schema " + quoted(schema) + " is reserved",
            "PostgreSQL keeps its catalogs in pg_ schemas, and pgchronicle its checkpoint in "
            "\"pgchronicle\"."
        );
    }
}

void check_suffix(Findings& findings, const std::string& suffix) {
    const std::string key = "target.table_suffix";
    findings.name(key, suffix);
    constexpr std::array<std::string_view, 3> readers{"_current", "_as_of", "_as_of_lsn"};
    if (std::find(readers.begin(), readers.end(), suffix) == readers.end()) return;
    findings.add(
        key,
        "suffix " + quoted(suffix) + " is reserved",
        "Beside each history table stand a view and two functions whose names end in _current, "
        "_as_of and _as_of_lsn.",
        "Choose another, as _history."
    );
}

void check_target(Findings& findings, const Target& target) {
    check_connection(findings, "target", target.connection);
    check_schema(findings, target.schema);
    check_suffix(findings, target.table_suffix);
    findings.between("target.lock_timeout", target.lock_timeout, 0ms, 24h);
}

void check_patterns(
    Findings& findings,
    const std::string& key,
    const std::vector<std::string>& patterns
) {
    for (std::size_t index = 0; index < patterns.size(); ++index) {
        if (is_qualified(patterns[index])) continue;
        findings.add(
            item(key, index),
            "pattern " + quoted(patterns[index]) + " names no schema",
            {},
            "Write schema.table; each part may hold * and ?, as in public.* or *.orders."
        );
    }
}

/// Our columns by key and name, in the order of the history table.
std::array<std::pair<std::string, std::string>, 7> columns_of(const HistoryColumnNames& names) {
    return {
        {{"valid_from", names.valid_from},
         {"valid_to", names.valid_to},
         {"is_current", names.is_current},
         {"operation_type", names.operation_type},
         {"lsn_from", names.lsn_from},
         {"lsn_to", names.lsn_to},
         {"change_seq", names.change_seq}}};
}

void check_history_columns(Findings& findings, const HistoryColumnNames& names) {
    constexpr std::array<std::string_view, 6> system_columns{
        "cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"};
    std::map<std::string, std::string> seen;
    for (const auto& [column, name] : columns_of(names)) {
        const auto key = "tables.history_columns." + column;
        findings.name(key, name);
        if (std::find(system_columns.begin(), system_columns.end(), name) != system_columns.end()) {
            findings.add(key, quoted(name) + " is a system column of PostgreSQL");
        }
        const auto [first, is_new] = seen.emplace(name, column);
        if (!is_new) {
            findings.add(key, quoted(name) + " is the name of \"" + first->second + "\" already");
        }
    }
}

void check_renames(
    Findings& findings,
    const std::string& key,
    const TableOverride& table,
    const HistoryColumnNames& names
) {
    std::set<std::string> taken;
    std::set<std::string> ours;
    for (const auto& column : columns_of(names)) ours.insert(column.second);
    for (const auto& [from, to] : table.rename) {
        auto path = key;
        path.append(".rename.").append(from);
        findings.name(path, to);
        if (ours.contains(to)) findings.add(path, quoted(to) + " is a column of pgchronicle's own");
        if (!taken.insert(to).second) {
            findings.add(path, "two columns are renamed to " + quoted(to));
        }
        const auto& excluded = table.exclude_columns;
        if (std::find(excluded.begin(), excluded.end(), from) != excluded.end()) {
            findings.add(path, "column " + quoted(from) + " is excluded as well as renamed");
        }
    }
}

void check_track(Findings& findings, const std::string& key, const TableOverride& table) {
    if (!table.track) return;
    const auto& excluded = table.exclude_columns;
    for (const auto& column : *table.track) {
        if (std::find(excluded.begin(), excluded.end(), column) == excluded.end()) continue;
        findings.add(
            key + ".track", "column " + quoted(column) + " is excluded as well as tracked"
        );
    }
}

void check_overrides(Findings& findings, const Settings& settings) {
    // Two tables in one history table: known here when both are named and share a schema.
    const bool one_schema = settings.target.schema.find("{schema}") == std::string::npos;
    std::map<std::pair<std::string, std::string>, std::string> targets;
    for (const auto& [table, rules] : settings.tables.overrides) {
        const auto key = "tables.overrides." + table;
        if (!is_qualified(table) || table.find_first_of("*?") != std::string::npos) {
            findings.add(
                key, "override is not for one table", {}, "Write schema.table, without * and ?."
            );
        }
        check_renames(findings, key, rules, settings.tables.history_columns);
        check_track(findings, key, rules);
        if (rules.on_change && !is_qualified(*rules.on_change)) {
            findings.add(
                key + ".on_change",
                "function " + quoted(*rules.on_change) + " names no schema",
                {},
                "Write schema.function, without arguments: it takes one, of type jsonb."
            );
        }
        if (!rules.target_table) continue;
        findings.name(key + ".target", *rules.target_table);
        const auto schema = one_schema ? std::string{} : table.substr(0, table.find('.'));
        const auto [first, is_new] = targets.emplace(std::pair{schema, *rules.target_table}, table);
        if (!is_new) {
            findings.add(
                key + ".target",
                quoted(*rules.target_table) + " is the target of two tables",
                "\"" + first->second + "\" has it too."
            );
        }
    }
}

void check_tables(Findings& findings, const Settings& settings) {
    const auto& tables = settings.tables;
    if (tables.include.empty()) {
        findings.add("tables.include", "at least one pattern is needed", {}, "*.* is every table.");
    }
    check_patterns(findings, "tables.include", tables.include);
    check_patterns(findings, "tables.exclude", tables.exclude);
    check_history_columns(findings, tables.history_columns);
    check_overrides(findings, settings);
}

void check_batch(Findings& findings, const Settings& settings) {
    const auto& batch = settings.batch;
    findings.between("batch.max_delay", batch.max_delay, 0ms, 1h);
    if (batch.rows_max < 1) findings.add("batch.max_rows", "0 is too small", {}, "At least 1.");
    findings.size_at_least("batch.max_bytes", batch.bytes_max, 1024);
    if (batch.bytes_max <= settings.memory_limit_bytes / batches_in_memory) return;
    // The complaint goes to whichever of the two was set.
    const bool limit_was_set = settings.memory_limit_bytes != Settings{}.memory_limit_bytes;
    findings.add(
        limit_was_set ? "memory_limit" : "batch.max_bytes",
        "memory_limit must be at least three times batch.max_bytes",
        "memory_limit is " + format_size(settings.memory_limit_bytes) + ", batch.max_bytes is " +
            format_size(batch.bytes_max) +
            ": one batch is being built, one waits and one is being written."
    );
}

void check_copy(Findings& findings, const Copy& copy) {
    // The source serves each worker with a backend of its own, and it has other work to do.
    if (copy.workers < 1 || copy.workers > 32) {
        findings.add(
            "copy.workers",
            std::to_string(copy.workers) + " is out of range",
            {},
            "Allowed: 1 to 32."
        );
    }
    findings.size_at_least("copy.chunk", copy.chunk_bytes, page_bytes);
}

void check_retry(Findings& findings, const Retry& retry) {
    findings.between("retry.delay_min", retry.delay_min, 1ms, 1h);
    findings.between("retry.delay_max", retry.delay_max, 1ms, 24h);
    if (retry.delay_min > retry.delay_max) {
        findings.add(
            "retry.delay_min",
            "delay_min is longer than delay_max",
            "delay_min is " + format_duration(retry.delay_min) + ", delay_max is " +
                format_duration(retry.delay_max) + "."
        );
    }
}

constexpr std::string_view host_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";

bool is_host_name(std::string_view text) {
    return !text.empty() && text.find_first_not_of(host_characters) == std::string_view::npos;
}

/// True for `host:port` with a name, an IPv4 address or an IPv6 address in brackets.
bool is_listen_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const auto port = parse_count(text.substr(colon + 1));
    if (!port || *port > 65535) return false;
    auto host = text.substr(0, colon);
    std::string_view allowed = host_characters;
    if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
        host = host.substr(1, host.size() - 2);
        allowed = "ABCDEFabcdef0123456789:.";
    }
    return host.find_first_not_of(allowed) == std::string_view::npos;
}

void check_rest(Findings& findings, const Settings& settings) {
    findings.name("pipeline", settings.pipeline);
    findings.between("acknowledge.interval", settings.acknowledge.interval, 10ms, 1h);
    findings.between("acknowledge.hold_back", settings.acknowledge.hold_back.time, 0ms, 24h * 365);
    if (settings.spool_dir.empty()) findings.add("spool_dir", "name must not be empty");
    if (settings.exports.time_zone.empty()) {
        findings.add("export.time_zone", "name must not be empty");
    }
}

/// "*", or scheme://host[:port] as browsers send it.
bool is_origin(std::string_view text) {
    if (text == "*") return true;
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos || scheme == 0) return false;
    const auto host = text.substr(scheme + 3);
    return !host.empty() && host.find_first_of("/?# \t\r\n\"\\") == std::string_view::npos;
}

void check_http(Findings& findings, const Http& http) {
    if (http.listen && !is_listen_address(*http.listen)) {
        findings.add(
            "http.listen",
            "invalid address " + quoted(*http.listen),
            {},
            "Write host:port, as 127.0.0.1:8000, [::1]:8000 or 0.0.0.0:8000."
        );
    }
    const auto count = [&](const char* key, std::uint64_t value, std::uint64_t largest) {
        if (value >= 1 && value <= largest) return;
        findings.add(
            key,
            std::to_string(value) + " is out of range",
            {},
            "Allowed: 1 to " + std::to_string(largest) + "."
        );
    };
    // Each is a backend of the target.
    count("http.connections", http.connections, 64);
    count("http.max_clients", http.clients_max, 10'000);
    if (!http.role.empty()) findings.name("http.role", http.role);
    findings.between("http.statement_timeout", http.statement_timeout, 10ms, 1h);
    findings.between("http.cache_time", http.cache_time, 0ms, 1min);
    findings.between("http.request_timeout", http.request_timeout, 100ms, 10min);
    findings.between("http.idle_timeout", http.idle_timeout, 100ms, 1h);
    for (std::size_t index = 0; index < http.cors_origins.size(); ++index) {
        if (is_origin(http.cors_origins[index])) continue;
        findings.add(
            item("http.cors_origins", index),
            "invalid origin " + quoted(http.cors_origins[index]),
            {},
            "Write scheme://host or scheme://host:port, without a path; or \"*\"."
        );
    }
    for (std::size_t index = 0; index < http.hosts.size(); ++index) {
        if (is_host_name(http.hosts[index])) continue;
        findings.add(
            item("http.hosts", index),
            "invalid name " + quoted(http.hosts[index]),
            {},
            "Write the name alone, without scheme and port, as history.example."
        );
    }
}

}  // namespace

std::vector<Problem> validate(const Settings& settings) {
    Findings findings;
    check_source(findings, settings.source);
    check_slot_lost(findings, settings);
    check_target(findings, settings.target);
    check_rest(findings, settings);
    check_http(findings, settings.http);
    check_tables(findings, settings);
    check_batch(findings, settings);
    check_copy(findings, settings.copy);
    check_retry(findings, settings.retry);
    return findings.take();
}

}  // namespace pgchronicle::config
