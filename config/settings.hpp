#pragma once

#include "config/secret.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::config {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum class CreateSlot { never, if_missing };
/// Whether large transactions come while they run, and in the form that lets a server of 16 or
/// later say more of those rolled back.
enum class Streaming { off, on, parallel };
enum class Snapshot { initial, never };
enum class OnSlotLost { stop, reconcile };
enum class OnUnknownKey { stop, open };
/// Which of the changes that one transaction makes to a row become versions: all, or their net
/// effect.
enum class IntraTransaction { keep, collapse };
/// What becomes of a table to which a change cannot be applied: it stops everything, or is left
/// behind alone.
enum class OnError { stop, quarantine };
enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { text, json };

/// One side's connection: a libpq conninfo (keywords or URI) without its secret.
struct Connection {
    std::string dsn;
    Secret password;  ///< From `password` or `password_file`; empty: libpq's own ways.
    milliseconds connect_timeout{10'000};
    /// A peer that acknowledges nothing for this long is dead (TCP_USER_TIMEOUT).
    milliseconds tcp_user_timeout{30'000};

    friend bool operator==(const Connection&, const Connection&) = default;
};

struct Source {
    Connection connection;
    std::string slot;
    std::vector<std::string> publications;  ///< At least one.
    CreateSlot create_slot{CreateSlot::never};
    /// reconcile: goes on with another slot, and compares every table with the source.
    OnSlotLost on_slot_lost{OnSlotLost::stop};
    Streaming streaming{Streaming::off};
    bool two_phase{false};  ///< Prepared transactions come with their PREPARE.
    /// A stream silent for this long, though asked to answer, is given up and opened again.
    milliseconds receive_timeout{300'000};

    friend bool operator==(const Source&, const Source&) = default;
};

struct Target {
    Connection connection;
    std::string schema{"analytics"};  ///< May contain {schema}.
    std::string table_suffix{"_history"};
    /// How long a second instance waits for the pipeline's lock before it stops.
    milliseconds lock_timeout{10'000};

    friend bool operator==(const Target&, const Target&) = default;
};

/// Names of our own columns, where a source column has one of them.
struct HistoryColumnNames {
    std::string valid_from{"valid_from"};
    std::string valid_to{"valid_to"};
    std::string is_current{"is_current"};
    std::string operation_type{"operation_type"};
    std::string lsn_from{"lsn_from"};
    std::string lsn_to{"lsn_to"};
    std::string change_seq{"change_seq"};

    /// All of them, as they stand in a history table.
    [[nodiscard]] std::array<std::string, 7> in_order() const {
        return {valid_from, valid_to, is_current, operation_type, lsn_from, lsn_to, change_seq};
    }

    friend bool operator==(const HistoryColumnNames&, const HistoryColumnNames&) = default;
};

/// What `tables.overrides.<schema.table>` may say.
struct TableOverride {
    std::map<std::string, std::string> rename{};  ///< Source column to history column.
    std::vector<std::string> exclude_columns{};   ///< Key `exclude`.
    /// Key `target`: history table name, in place of name + suffix.
    std::optional<std::string> target_table{};
    std::optional<OnUnknownKey> on_unknown_key{};
    std::optional<IntraTransaction> intra_transaction{};
    std::optional<OnError> on_error{};
    /// Function "schema.name" of the target that is called for each new version of the table.
    std::optional<std::string> on_change{};
    /// Columns whose changes make versions, besides the key's; without a value, all of them.
    /// Changes of others overwrite the open version.
    std::optional<std::vector<std::string>> track{};

    friend bool operator==(const TableOverride&, const TableOverride&) = default;
};

struct Tables {
    std::vector<std::string> include{"*.*"};  ///< Patterns schema.table with * and ?.
    std::vector<std::string> exclude;
    std::map<std::string, TableOverride> overrides;
    IntraTransaction intra_transaction{IntraTransaction::keep};
    OnError on_error{OnError::stop};
    HistoryColumnNames history_columns;  ///< Key `history_columns`.

    friend bool operator==(const Tables&, const Tables&) = default;
};

struct Batch {
    milliseconds max_delay{50};
    std::uint64_t rows_max{50'000};         ///< Key `max_rows`.
    std::uint64_t bytes_max{32ULL << 20U};  ///< Key `max_bytes`.

    friend bool operator==(const Batch&, const Batch&) = default;
};

struct Copy {
    unsigned workers{2};
    std::uint64_t chunk_bytes{256ULL << 20U};  ///< Key `chunk`: heap bytes per COPY within a table.

    friend bool operator==(const Copy&, const Copy&) = default;
};

struct Retry {
    milliseconds delay_min{200};
    milliseconds delay_max{30'000};
    milliseconds elapsed_max{0};  ///< Key `max_elapsed`; 0: for ever.

    friend bool operator==(const Retry&, const Retry&) = default;
};

/// How far behind the stored position the slot is kept: by bytes of WAL, or by time. Not both.
struct HoldBack {
    std::uint64_t bytes{0};
    milliseconds time{0};

    [[nodiscard]] bool any() const { return bytes != 0 || time.count() != 0; }
    friend bool operator==(const HoldBack&, const HoldBack&) = default;
};

struct Acknowledge {
    milliseconds interval{2'000};  ///< How often an idle position is stored.
    HoldBack hold_back{};

    friend bool operator==(const Acknowledge&, const Acknowledge&) = default;
};

/// What `export` goes by where its options do not say otherwise.
struct Export {
    std::string time_zone{"UTC"};  ///< Of days, and of times without an offset.

    friend bool operator==(const Export&, const Export&) = default;
};

struct Log {
    LogLevel level{LogLevel::info};
    LogFormat format{LogFormat::text};

    friend bool operator==(const Log&, const Log&) = default;
};

/// What is served over HTTP, and with which limits. Key `http`.
struct Http {
    std::optional<std::string> listen;  ///< host:port; without a value nothing is served.
    /// How readers reach the target; without a value, as `target` says.
    std::optional<Connection> reader;  ///< Keys `dsn`, `password`, `password_file`, ...
    std::string role;                  ///< SET ROLE of every reader; empty: none.
    std::uint64_t connections{4};      ///< Readers' connections to the target.
    milliseconds statement_timeout{10'000};
    /// How long an answer may be given again while the history goes on.
    milliseconds cache_time{1'000};
    milliseconds request_timeout{10'000};  ///< For a client to send a request's head.
    milliseconds idle_timeout{60'000};     ///< For a client between two requests.
    std::uint64_t clients_max{256};        ///< Key `max_clients`.
    std::vector<std::string> cors_origins;
    /// Names, without a port, under which it may be asked where only this host reaches it.
    std::vector<std::string> hosts;

    friend bool operator==(const Http&, const Http&) = default;
};

/// The configuration as plain values; valid once loaded.
struct Settings {
    std::string file;  ///< Where it was read from.
    Source source;
    Target target;
    std::string pipeline{"default"};
    Tables tables;
    Snapshot snapshot{Snapshot::initial};
    Batch batch;
    std::uint64_t memory_limit_bytes{256ULL << 20U};
    Copy copy;
    Retry retry;
    Acknowledge acknowledge;
    std::string spool_dir{"/var/tmp"};
    Http http;
    /// Key `reports.dir`; a relative one is beside the file. Empty: there are no reports.
    std::string reports_dir;
    Export exports;  ///< Key `export`.
    Log log;
    std::vector<std::string> warnings;  ///< What the operator should know; to be logged.

    friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace pgchronicle::config
