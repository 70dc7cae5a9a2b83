#include "pq/connection.hpp"

#include "pq/conninfo.hpp"
#include "pq/interrupter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace pgchronicle::pq {
namespace {

/// libpq copies each CopyData message into its buffer, so this bounds what it holds of ours.
constexpr std::size_t copy_message_bytes_max = std::size_t{1} << 20U;

bool succeeded(ExecStatusType status) {
    switch (status) {
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_PIPELINE_SYNC:
        return true;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
    return false;
}

/// Parameters in the parallel arrays that libpq takes.
struct ParamArrays {
    explicit ParamArrays(std::span<const Param> params) {
        for (const Param& param : params) {
            types.push_back(param.type);
            values.push_back(param.data);
            lengths.push_back(param.length);
            formats.push_back(param.binary ? 1 : 0);
        }
    }
    [[nodiscard]] int count() const { return static_cast<int>(types.size()); }

    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
};

}  // namespace

std::int64_t Result::int64(int row, int column) const {
    const std::string_view digits = text(row, column);
    std::int64_t value = 0;
    const auto [end, errc] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (errc != std::errc{} || end != digits.data() + digits.size()) {
        throw Error{{
            .primary = fmt::format(
                "value of result column \"{}\" is not an integer", PQfname(raw_.get(), column)
            ),
        }};
    }
    return value;
}

std::uint64_t Result::affected() const {
    if (!raw_) return 0;
    const std::string_view digits{PQcmdTuples(raw_.get())};
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

Error error_of(const PGresult* result, const PGconn* connection, std::size_t commands_before) {
    const bool bad = PQstatus(connection) == CONNECTION_BAD;
    const auto field = [&](int code) {
        const char* const text = PQresultErrorField(result, code);
        return std::string{text == nullptr ? "" : text};
    };
    Error::Fields fields{
        .sqlstate = field(PG_DIAG_SQLSTATE),
        .primary = field(PG_DIAG_MESSAGE_PRIMARY),
        .detail = field(PG_DIAG_MESSAGE_DETAIL),
        .hint = field(PG_DIAG_MESSAGE_HINT),
        .context = field(PG_DIAG_CONTEXT),
        .constraint = field(PG_DIAG_CONSTRAINT_NAME),
        .schema = field(PG_DIAG_SCHEMA_NAME),
        .table = field(PG_DIAG_TABLE_NAME),
    };
    // Without a primary message the failure is libpq's own and stands in its text only.
    if (fields.primary.empty()) {
        const bool silent = result == nullptr || *PQresultErrorMessage(result) == '\0';
        fields =
            parse_error_message(silent ? PQerrorMessage(connection) : PQresultErrorMessage(result));
    }
    const std::string severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
    fields.connection_lost = bad || severity == "FATAL" || severity == "PANIC";
    fields.commands_before = commands_before;
    return Error{std::move(fields)};
}

Error Connection::last_error() const {
    Error::Fields fields = parse_error_message(PQerrorMessage(raw_.get()));
    fields.connection_lost = !ok();
    return Error{std::move(fields)};
}

Result Connection::check(PGresult* raw) const {
    Result result{raw};
    if (raw == nullptr || !succeeded(result.status())) throw error_of(raw, raw_.get());
    return result;
}

Result Connection::exec(const std::string& sql) {
    return check(PQexec(raw_.get(), sql.c_str()));
}

Result Connection::exec(const std::string& sql, std::span<const Param> params) {
    const ParamArrays arrays{params};
    return check(PQexecParams(
        raw_.get(),
        sql.c_str(),
        arrays.count(),
        arrays.types.data(),
        arrays.values.data(),
        arrays.lengths.data(),
        arrays.formats.data(),
        0
    ));
}

Result Connection::exec(const std::string& sql, std::initializer_list<std::string> text_params) {
    std::vector<Param> params;
    for (const std::string& value : text_params) params.push_back(Param::text(value));
    return exec(sql, params);
}

void Connection::each_row(
    const std::string& sql,
    std::span<const Param> params,
    const std::function<void(const Result&)>& sink
) {
    send(sql, params);
    if (PQsetSingleRowMode(raw_.get()) != 1) throw last_error();
    std::optional<Error> failed;
    while (PGresult* const raw = PQgetResult(raw_.get())) {
        const Result row{raw};
        const auto status = row.status();
        if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN) {
            throw Error{{.primary = "statement is a COPY"}};
        }
        if (!succeeded(status)) {
            if (!failed) failed = error_of(raw, raw_.get());
            if (!ok()) break;
            continue;
        }
        try {
            sink(row);
        } catch (...) {
            abandon_rows();
            throw;
        }
    }
    if (failed) throw std::move(*failed);
    if (!ok()) throw last_error();
}

/// Ends a statement whose rows nobody wants any more, so that the connection can be used again.
void Connection::abandon_rows() noexcept {
    interrupt(false);
    while (PGresult* const result = PQgetResult(raw_.get())) PQclear(result);
}

void Connection::prepare(
    const std::string& name,
    const std::string& sql,
    std::span<const Oid> types
) {
    check(PQprepare(
        raw_.get(), name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data()
    ));
}

Result Connection::exec_prepared(const std::string& name, std::span<const Param> params) {
    const ParamArrays arrays{params};
    return check(PQexecPrepared(
        raw_.get(),
        name.c_str(),
        arrays.count(),
        arrays.values.data(),
        arrays.lengths.data(),
        arrays.formats.data(),
        0
    ));
}

void Connection::begin_copy_in(const std::string& sql) {
    const Result result = exec(sql);
    if (result.status() != PGRES_COPY_IN) {
        throw Error{{.primary = "statement does not start a COPY FROM STDIN"}};
    }
}

void Connection::put_copy(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), copy_message_bytes_max));
        const auto* const data = reinterpret_cast<const char*>(part.data());  // NOLINT
        if (PQputCopyData(raw_.get(), data, static_cast<int>(part.size())) != 1) throw last_error();
        bytes = bytes.subspan(part.size());
    }
}

/// Reads every result of the command under way; the first failure is thrown after the last is read,
/// so that the connection can be used again.
Result Connection::drain() {
    Result last;
    std::optional<Error> failed;
    while (PGresult* const raw = PQgetResult(raw_.get())) {
        last = Result{raw};
        if (!succeeded(last.status()) && !failed) failed = error_of(raw, raw_.get());
        if (!ok()) break;
    }
    if (failed) throw std::move(*failed);
    if (!ok()) throw last_error();
    return last;
}

std::uint64_t Connection::end_copy_in() {
    if (PQputCopyEnd(raw_.get(), nullptr) != 1) throw last_error();
    return drain().affected();
}

void Connection::cancel_copy_in(const std::string& reason) {
    if (PQputCopyEnd(raw_.get(), reason.c_str()) != 1) throw last_error();
    try {
        drain();
    } catch (const Error& error) {
        // The statement's failure is what was asked for.
        if (error.connection_lost()) throw;
    }
}

void Connection::copy_out(
    const std::string& sql,
    const std::function<void(std::span<const std::byte>)>& sink
) {
    if (exec(sql).status() != PGRES_COPY_OUT) {
        throw Error{{.primary = "statement does not start a COPY TO STDOUT"}};
    }
    for (;;) {
        char* raw = nullptr;
        const int length = PQgetCopyData(raw_.get(), &raw, 0);
        const std::unique_ptr<char, void (*)(void*)> owned{raw, PQfreemem};
        if (length == -1) break;
        if (length < 0) throw last_error();
        try {
            const auto* const data = reinterpret_cast<const std::byte*>(raw);  // NOLINT
            sink({data, static_cast<std::size_t>(length)});
        } catch (...) {
            abandon_copy_out();
            throw;
        }
    }
    drain();
}

/// Ends a COPY TO whose reader has failed, so that the connection can be used again.
void Connection::abandon_copy_out() noexcept {
    interrupt(false);
    char* raw = nullptr;
    while (PQgetCopyData(raw_.get(), &raw, 0) > 0) PQfreemem(raw);
    while (PGresult* const result = PQgetResult(raw_.get())) PQclear(result);
}

void Connection::enter_pipeline() {
    if (PQenterPipelineMode(raw_.get()) != 1) throw last_error();
}

void Connection::send(const std::string& sql, std::span<const Param> params) {
    const ParamArrays arrays{params};
    const int sent = PQsendQueryParams(
        raw_.get(),
        sql.c_str(),
        arrays.count(),
        arrays.types.data(),
        arrays.values.data(),
        arrays.lengths.data(),
        arrays.formats.data(),
        0
    );
    if (sent != 1) throw last_error();
}

void Connection::send_prepared(const std::string& name, std::span<const Param> params) {
    const ParamArrays arrays{params};
    const int sent = PQsendQueryPrepared(
        raw_.get(),
        name.c_str(),
        arrays.count(),
        arrays.values.data(),
        arrays.lengths.data(),
        arrays.formats.data(),
        0
    );
    if (sent != 1) throw last_error();
}

std::vector<Result> Connection::sync_pipeline() {
    if (PQpipelineSync(raw_.get()) != 1) throw last_error();
    std::vector<Result> results;
    std::optional<Error> failed;
    for (;;) {
        // A null pointer only separates the results of one command from those of the next.
        PGresult* const raw = PQgetResult(raw_.get());
        if (raw == nullptr) {
            if (ok()) continue;
            break;
        }
        Result result{raw};
        if (result.status() == PGRES_PIPELINE_SYNC) break;
        if (succeeded(result.status())) {
            results.push_back(std::move(result));
        } else if (!failed) {
            failed = error_of(raw, raw_.get(), results.size());
        }
    }
    if (failed) {
        PQexitPipelineMode(raw_.get());
        throw std::move(*failed);
    }
    if (!ok() || PQexitPipelineMode(raw_.get()) != 1) throw last_error();
    return results;
}

void Connection::on_notice(NoticeHandler handler) {
    *notice_ = std::move(handler);
}

std::string Connection::parameter(const char* name) const {
    const char* const value = PQparameterStatus(raw_.get(), name);
    return value == nullptr ? "" : value;
}

void Connection::interrupt(bool hard) noexcept {
    if (!interrupter_) return;
    interrupter_->cancel();
    if (hard) interrupter_->hang_up();
}

}  // namespace pgchronicle::pq
