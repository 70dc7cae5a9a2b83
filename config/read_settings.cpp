#include "config/read_settings.hpp"

#include "config/dsn.hpp"
#include "config/expand.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pgchronicle::config {

namespace {

using namespace std::string_view_literals;

template <typename Enum, std::size_t size>
using Words = std::array<std::pair<std::string_view, Enum>, size>;

constexpr Words<bool, 4> switch_words{
    {{"true"sv, true}, {"false"sv, false}, {"on"sv, true}, {"off"sv, false}}};
constexpr Words<Streaming, 3> streaming_words{
    {{"off"sv, Streaming::off}, {"on"sv, Streaming::on}, {"parallel"sv, Streaming::parallel}}};
constexpr Words<CreateSlot, 2> create_slot_words{
    {{"never"sv, CreateSlot::never}, {"if_missing"sv, CreateSlot::if_missing}}};
constexpr Words<OnSlotLost, 2> on_slot_lost_words{
    {{"stop"sv, OnSlotLost::stop}, {"reconcile"sv, OnSlotLost::reconcile}}};
constexpr Words<Snapshot, 2> snapshot_words{
    {{"initial"sv, Snapshot::initial}, {"never"sv, Snapshot::never}}};
constexpr Words<OnUnknownKey, 2> on_unknown_key_words{
    {{"stop"sv, OnUnknownKey::stop}, {"open"sv, OnUnknownKey::open}}};
constexpr Words<IntraTransaction, 2> intra_transaction_words{
    {{"keep"sv, IntraTransaction::keep}, {"collapse"sv, IntraTransaction::collapse}}};
constexpr Words<OnError, 2> on_error_words{
    {{"stop"sv, OnError::stop}, {"quarantine"sv, OnError::quarantine}}};
constexpr Words<LogLevel, 5> log_level_words{
    {{"trace"sv, LogLevel::trace},
     {"debug"sv, LogLevel::debug},
     {"info"sv, LogLevel::info},
     {"warn"sv, LogLevel::warn},
     {"error"sv, LogLevel::error}}};
constexpr Words<LogFormat, 2> log_format_words{
    {{"text"sv, LogFormat::text}, {"json"sv, LogFormat::json}}};

/// True when the text, as it stands in the file, spells the password out.
bool spells_out_password(const std::string& raw_dsn, const Environment& environment) {
    const auto split = split_dsn(raw_dsn);
    const auto* const parts = std::get_if<DsnParts>(&split);
    return parts != nullptr && parts->password && !parts->password->empty() &&
           !expand(parts->password->reveal(), environment).has_variable;
}

void read_dsn(MapReader& map, Reading& reading, Connection& connection) {
    map.require("dsn");
    const auto given = map.scalar("dsn");
    if (!given) return;
    if (given->text.find_first_not_of(" \t\r\n") == std::string::npos) {
        map.report("dsn", "value must not be empty");
        return;
    }
    auto split = split_dsn(given->text);
    if (const auto* const error = std::get_if<DsnError>(&split)) {
        map.report("dsn", error->message, {}, error->hint);
        return;
    }
    auto& parts = std::get<DsnParts>(split);
    connection.dsn = std::move(parts.dsn);
    if (!parts.password) return;
    if (map.has("password") || map.has("password_file")) {
        map.report(
            "dsn",
            "password is given twice",
            "The connection string holds one, and so does another key."
        );
    }
    connection.password = *std::move(parts.password);
    if (spells_out_password(given->raw, reading.environment)) reading.holds_password = true;
}

void read_password(MapReader& map, Reading& reading, Connection& connection) {
    const auto password = map.scalar("password");
    const auto file = map.scalar("password_file");
    if (map.has("password") && map.has("password_file")) {
        map.report("password_file", "password is given twice", "There is \"password\" too.");
        return;
    }
    if (password) {
        connection.password = Secret{password->text};
        const bool is_literal = !expand(password->raw, reading.environment).has_variable;
        if (is_literal && !password->text.empty()) reading.holds_password = true;
    }
    if (!file) return;
    auto content = read_secret_file(file->text);
    if (content.error.empty()) {
        connection.password = Secret{std::move(content.secret)};
    } else {
        map.report(
            "password_file",
            "could not read password file " + config::quoted(file->raw),
            "The system says: " + content.error + "."
        );
    }
}

void read_connection(MapReader& map, Reading& reading, Connection& connection) {
    read_dsn(map, reading, connection);
    read_password(map, reading, connection);
    map.duration("connect_timeout", connection.connect_timeout);
    map.duration("tcp_user_timeout", connection.tcp_user_timeout);
}

void read_source(MapReader map, Reading& reading, Source& source) {
    read_connection(map, reading, source.connection);
    map.require("slot");
    map.text("slot", source.slot);
    map.require("publication");
    map.list("publication", source.publications);
    map.word("create_slot", create_slot_words, source.create_slot);
    map.word("streaming", streaming_words, source.streaming);
    map.word("two_phase", switch_words, source.two_phase);
    map.word("on_slot_lost", on_slot_lost_words, source.on_slot_lost);
    map.duration("receive_timeout", source.receive_timeout);
    map.finish();
}

void read_target(MapReader map, Reading& reading, Target& target) {
    read_connection(map, reading, target.connection);
    map.text("schema", target.schema);
    map.text("table_suffix", target.table_suffix);
    map.duration("lock_timeout", target.lock_timeout);
    map.unsupported("distribute");
    map.finish();
}

void read_history_columns(MapReader map, HistoryColumnNames& names) {
    map.text("valid_from", names.valid_from);
    map.text("valid_to", names.valid_to);
    map.text("is_current", names.is_current);
    map.text("operation_type", names.operation_type);
    map.text("lsn_from", names.lsn_from);
    map.text("lsn_to", names.lsn_to);
    map.text("change_seq", names.change_seq);
    map.finish();
}

/// What a later version will let one table, or all of them, choose.
void read_reserved(MapReader& map) {
    map.supports_only("on_type_change", "stop");
}

TableOverride read_override(MapReader map) {
    TableOverride result;
    map.names("rename", result.rename);
    map.list("exclude", result.exclude_columns);
    if (map.has("target")) map.text("target", result.target_table.emplace());
    if (map.has("on_unknown_key")) {
        map.word("on_unknown_key", on_unknown_key_words, result.on_unknown_key.emplace());
    }
    if (map.has("intra_transaction")) {
        map.word("intra_transaction", intra_transaction_words, result.intra_transaction.emplace());
    }
    if (map.has("on_error")) map.word("on_error", on_error_words, result.on_error.emplace());
    if (map.has("on_change")) map.text("on_change", result.on_change.emplace());
    if (map.has("track")) map.list("track", result.track.emplace());
    read_reserved(map);
    map.finish();
    return result;
}

void read_tables(MapReader map, Tables& tables) {
    map.list("include", tables.include);
    map.list("exclude", tables.exclude);
    auto overrides = map.section("overrides");
    for (const auto& name : overrides.own_names()) {
        tables.overrides.emplace(name, read_override(overrides.own_section(name)));
    }
    map.word("intra_transaction", intra_transaction_words, tables.intra_transaction);
    map.word("on_error", on_error_words, tables.on_error);
    read_history_columns(map.section("history_columns"), tables.history_columns);
    read_reserved(map);
    map.finish();
}

void read_batch(MapReader map, Batch& batch) {
    map.duration("max_delay", batch.max_delay);
    map.count("max_rows", batch.rows_max);
    map.size("max_bytes", batch.bytes_max);
    map.finish();
}

void read_copy(MapReader map, Copy& copy) {
    std::uint64_t workers = copy.workers;
    map.count("workers", workers);
    // Too many for the type is too many for `validate` as well.
    constexpr std::uint64_t largest = std::numeric_limits<unsigned>::max();
    copy.workers = static_cast<unsigned>(std::min(workers, largest));
    map.size("chunk", copy.chunk_bytes);
    map.finish();
}

void read_retry(MapReader map, Retry& retry) {
    map.duration("delay_min", retry.delay_min);
    map.duration("delay_max", retry.delay_max);
    map.duration("max_elapsed", retry.elapsed_max);
    map.finish();
}

void read_hold_back(MapReader& map, HoldBack& hold_back) {
    const auto given = map.scalar("hold_back");
    if (!given) return;
    if (const auto bytes = parse_size(given->text)) {
        hold_back.bytes = *bytes;
    } else if (const auto time = parse_duration(given->text)) {
        hold_back.time = *time;
    } else {
        map.report(
            "hold_back",
            "invalid size or duration " + config::quoted(given->raw),
            {},
            "Write so many bytes of WAL, as 1GiB, or a time, as 2h; 0 holds nothing back."
        );
    }
}

void read_acknowledge(MapReader map, Acknowledge& acknowledge) {
    map.duration("interval", acknowledge.interval);
    read_hold_back(map, acknowledge.hold_back);
    map.finish();
}

void read_log(MapReader map, Log& log) {
    map.word("level", log_level_words, log.level);
    map.word("format", log_format_words, log.format);
    map.finish();
}

/// Readers connect as the target's section says, or with a connection string of their own.
void read_reader(MapReader& map, Reading& reading, Settings& settings) {
    auto reader = settings.target.connection;
    if (map.has("dsn")) {
        reader.password = {};
        read_dsn(map, reading, reader);
    } else {
        (void)map.scalar("dsn");  // Known, and absent.
    }
    const bool given = map.has("dsn") || map.has("password") || map.has("password_file");
    read_password(map, reading, reader);
    if (given) settings.http.reader = std::move(reader);
}

void read_http(MapReader map, Reading& reading, Settings& settings) {
    auto& http = settings.http;
    if (std::string listen; map.text("listen", listen), !listen.empty()) {
        http.listen = std::move(listen);
    }
    read_reader(map, reading, settings);
    map.text("role", http.role);
    map.count("connections", http.connections);
    map.duration("statement_timeout", http.statement_timeout);
    map.duration("cache_time", http.cache_time);
    map.duration("request_timeout", http.request_timeout);
    map.duration("idle_timeout", http.idle_timeout);
    map.count("max_clients", http.clients_max);
    map.list("cors_origins", http.cors_origins);
    map.list("hosts", http.hosts);
    map.finish();
}

/// A relative path is meant from the configuration's own folder.
std::string beside(const std::string& file, const std::string& path) {
    const auto slash = file.rfind('/');
    if (path.starts_with('/') || slash == std::string::npos) return path;
    return file.substr(0, slash + 1) + path;
}

}  // namespace

Settings read_settings(const DocumentNode& document, Reading& reading) {
    Settings settings;
    settings.file = reading.file;
    MapReader map{reading, document, "", 1};
    read_source(map.section("source"), reading, settings.source);
    read_target(map.section("target"), reading, settings.target);
    map.text("pipeline", settings.pipeline);
    read_tables(map.section("tables"), settings.tables);
    map.word("snapshot", snapshot_words, settings.snapshot);
    read_batch(map.section("batch"), settings.batch);
    map.size("memory_limit", settings.memory_limit_bytes);
    read_copy(map.section("copy"), settings.copy);
    read_retry(map.section("retry"), settings.retry);
    read_acknowledge(map.section("acknowledge"), settings.acknowledge);
    map.text("spool_dir", settings.spool_dir);
    read_http(map.section("http"), reading, settings);
    auto reports = map.section("reports");
    if (std::string dir; reports.text("dir", dir), !dir.empty()) {
        settings.reports_dir = beside(reading.file, dir);
    }
    reports.finish();
    auto exports = map.section("export");
    exports.text("time_zone", settings.exports.time_zone);
    exports.finish();
    read_log(map.section("log"), settings.log);
    map.unsupported("apply");
    map.finish();
    reading.report_unknown_keys();
    return settings;
}

}  // namespace pgchronicle::config
