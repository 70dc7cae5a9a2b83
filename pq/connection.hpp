#pragma once

#include "pq/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <libpq-fe.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgchronicle::pq {

class Interrupter;

/// How to connect. Every connection pins client_encoding (UTF8), DateStyle (ISO), IntervalStyle
/// (postgres), TimeZone (UTC), extra_float_digits (3), bytea_output (hex), lc_monetary (C),
/// array_nulls (on), quote_all_identifiers (off) and an empty search_path, through the start-up
/// packet, so that values leave as they are, whatever the database's defaults.
struct ConnectOptions {
    std::string dsn;               ///< libpq keywords or URI, without the password if possible.
    std::string password;          ///< Empty: libpq's own ways (PGPASSFILE, service, ...).
    std::string application_name;  ///< Overrides what the DSN says.
    bool replication{false};       ///< replication=database
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds tcp_user_timeout{30'000};  ///< With keepalives to match.
    /// Further settings, e.g. {"synchronous_commit", "off"}, sent in the start-up packet too.
    std::vector<std::pair<std::string, std::string>> settings;
};

/// Owns one PGresult.
class Result {
public:
    Result() = default;
    explicit Result(PGresult* raw) : raw_{raw} {}

    [[nodiscard]] int rows() const { return PQntuples(raw_.get()); }
    [[nodiscard]] int columns() const { return PQnfields(raw_.get()); }
    [[nodiscard]] std::string name(int column) const { return PQfname(raw_.get(), column); }
    [[nodiscard]] bool null(int row, int column) const {
        return PQgetisnull(raw_.get(), row, column) == 1;
    }
    /// The value's bytes (text form unless binary was asked for); empty for NULL.
    [[nodiscard]] std::string_view text(int row, int column) const {
        return {
            PQgetvalue(raw_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(raw_.get(), row, column))};
    }
    [[nodiscard]] std::string str(int row, int column) const {
        return std::string{text(row, column)};
    }
    [[nodiscard]] std::int64_t int64(int row, int column)
        const;  ///< Throws Error when not a number.
    [[nodiscard]] bool boolean(int row, int column) const { return text(row, column) == "t"; }
    /// Rows that an INSERT, UPDATE, DELETE, COPY ... affected.
    [[nodiscard]] std::uint64_t affected() const;
    [[nodiscard]] ExecStatusType status() const { return PQresultStatus(raw_.get()); }
    [[nodiscard]] PGresult* native() const { return raw_.get(); }

private:
    struct Clear {
        void operator()(PGresult* raw) const { PQclear(raw); }
    };
    std::unique_ptr<PGresult, Clear> raw_;
};

/// One bound parameter. Points at memory that must outlive the call.
struct Param {
    Oid type{0};                ///< 0: let the server infer.
    const char* data{nullptr};  ///< Null pointer: NULL. Text must be NUL-terminated.
    int length{0};              ///< For binary.
    bool binary{false};

    static Param text(const std::string& value) {
        return {0, value.c_str(), static_cast<int>(value.size()), false};
    }
    static Param null() { return {}; }
    static Param bytes(Oid type, std::span<const std::byte> value) {
        return {
            type,
            reinterpret_cast<const char*>(value.data()),
            static_cast<int>(value.size()),
            true};  // NOLINT
    }
};

/// Owns one PGconn. Move-only; not for two threads at once, save `interrupt`.
/// Every failure throws Error; the message holds no password.
class Connection {
public:
    /// Connects, blocking for at most the options' connect_timeout per host.
    [[nodiscard]] static Connection open(const ConnectOptions& options);

    /// Runs one or more statements without parameters (simple protocol); the last one's result.
    Result exec(const std::string& sql);
    /// One statement with parameters; text results.
    Result exec(const std::string& sql, std::span<const Param> params);
    Result exec(const std::string& sql, std::initializer_list<std::string> text_params);
    /// The same, a row at a time, so that a large result is never held as a whole. Every Result has
    /// one row but the last, which has none and the columns alone. What `sink` throws ends the
    /// statement, and comes through.
    void each_row(
        const std::string& sql,
        std::span<const Param> params,
        const std::function<void(const Result&)>& sink
    );
    void prepare(const std::string& name, const std::string& sql, std::span<const Oid> types = {});
    Result exec_prepared(const std::string& name, std::span<const Param> params);

    /// COPY ... FROM STDIN: `begin_copy_in` runs the statement, `put_copy` sends bytes as they are
    /// (rows may be cut anywhere), `end_copy_in` returns the rows copied. `cancel_copy_in` makes
    /// the server fail the statement with `reason`.
    void begin_copy_in(const std::string& sql);
    void put_copy(std::span<const std::byte> bytes);
    std::uint64_t end_copy_in();
    void cancel_copy_in(const std::string& reason);

    /// COPY ... TO STDOUT: calls `sink` for each CopyData message in turn.
    void
    copy_out(const std::string& sql, const std::function<void(std::span<const std::byte>)>& sink);

    /// Commands of libpq's pipeline mode, for few round trips: between enter and sync only
    /// `send_*` are called; `sync_pipeline` sends a Sync, reads every result in order, throws the
    /// first error (the rest is skipped by the server), and leaves pipeline mode.
    void enter_pipeline();
    void send(const std::string& sql, std::span<const Param> params = {});
    void send_prepared(const std::string& name, std::span<const Param> params);
    [[nodiscard]] std::vector<Result> sync_pipeline();

    /// Calls back for each NOTICE or WARNING: severity, SQLSTATE, message.
    using NoticeHandler = std::function<
        void(std::string_view severity, std::string_view sqlstate, std::string_view message)>;
    void on_notice(NoticeHandler handler);

    [[nodiscard]] int server_version() const { return PQserverVersion(raw_.get()); }  ///< 150018
    [[nodiscard]] int backend_pid() const { return PQbackendPID(raw_.get()); }
    [[nodiscard]] int socket() const { return PQsocket(raw_.get()); }
    [[nodiscard]] std::string parameter(const char* name) const;
    /// What is in force for a keyword such as "sslmode", libpq's environment, service files and
    /// defaults included; not meant for secrets.
    [[nodiscard]] std::string option(std::string_view keyword) const;
    /// Whether somebody could stand in between: no Unix-domain socket, no TCP within one host.
    [[nodiscard]] bool over_network() const;
    [[nodiscard]] bool ok() const { return PQstatus(raw_.get()) == CONNECTION_OK; }
    /// A transaction is open, failed or not.
    [[nodiscard]] bool in_transaction() const {
        const auto status = PQtransactionStatus(raw_.get());
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
    }
    [[nodiscard]] PGconn* native() const { return raw_.get(); }

    /// Makes a blocked call of another thread fail soon: asks the server to cancel (bounded by a
    /// second) and, with `hard`, shuts the socket down. Thread: any.
    void interrupt(bool hard) noexcept;

    /// The Error that libpq's last failure on this connection amounts to.
    [[nodiscard]] Error last_error() const;

private:
    struct Finish {
        void operator()(PGconn* raw) const { PQfinish(raw); }
    };
    explicit Connection(PGconn* raw);
    void settle();
    Result check(PGresult* raw) const;
    Result drain();
    void abandon_rows() noexcept;
    void abandon_copy_out() noexcept;

    std::unique_ptr<PGconn, Finish> raw_;
    std::unique_ptr<NoticeHandler> notice_;
    std::shared_ptr<Interrupter> interrupter_;
};

/// The Error that a failed result amounts to; `commands_before`: see Error.
[[nodiscard]] Error
error_of(const PGresult* result, const PGconn* connection, std::size_t commands_before = 0);

}  // namespace pgchronicle::pq
