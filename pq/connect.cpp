#include "pq/connection.hpp"
#include "pq/conninfo.hpp"
#include "pq/interrupter.hpp"
#include "pq/same_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <poll.h>
#include <unistd.h>
#include <utility>

// Connection::open and what belongs to it.

namespace pgchronicle::pq {
namespace {

using Clock = std::chrono::steady_clock;
using Handle = std::unique_ptr<PGconn, void (*)(PGconn*)>;

constexpr const char* invalid_authorization = "28000";
constexpr const char* invalid_password = "28P01";

/// Waits until the socket is ready for what libpq wants; false once `deadline` has passed.
bool wait_ready(PGconn* raw, PostgresPollingStatusType wanted, Clock::time_point deadline) {
    for (;;) {
        pollfd waiting{
            .fd = PQsocket(raw),
            .events = static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT),
            .revents = 0,
        };
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR)
            return true;  // PQconnectPoll meets the error and names it.
    }
}

/// What a failed attempt amounts to. Failures that only another configuration can mend get the
/// SQLSTATE that says so, since libpq gives them none.
Error connect_error(const PGconn* raw) {
    Error::Fields fields = parse_error_message(PQerrorMessage(raw));
    fields.connection_lost = true;
    if (!fields.sqlstate.empty()) return Error{std::move(fields)};
    if (PQconnectionNeedsPassword(raw) == 1) {
        fields.sqlstate = invalid_password;
        if (fields.hint.empty()) fields.hint = "The server asks for a password; configure one.";
    } else if (needs_other_configuration(fields.primary)) {
        fields.sqlstate = invalid_authorization;
    }
    return Error{std::move(fields)};
}

Error timeout_error(const Keywords& keywords, std::chrono::seconds limit) {
    std::string host = value_of(keywords, "host");
    if (host.empty()) host = value_of(keywords, "hostaddr");
    const std::string port = value_of(keywords, "port");
    return Error{{
        .primary = fmt::format(
            "connection to server at \"{}\", port {} failed: timeout expired",
            host.empty() ? "default" : host,
            port.empty() ? "default" : port
        ),
        .detail = fmt::format("The server did not answer within {} s.", limit.count()),
        .connection_lost = true,
    }};
}

/// The connect_timeout in force; anything but a positive number is a second, libpq refuses it.
std::chrono::seconds connect_limit(const Keywords& keywords) {
    const std::string text = value_of(keywords, "connect_timeout");
    int seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::chrono::seconds{std::max(1, seconds)};
}

void ignore_notice(void*, const PGresult*) {}

/// Connects to one host within connect_timeout; throws Error.
Handle connect_one(const Keywords& keywords) {
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : keywords) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);

    Handle handle{PQconnectStartParams(names.data(), values.data(), 0), PQfinish};
    PGconn* const raw = handle.get();
    if (raw == nullptr) throw Error{{.sqlstate = "53200", .primary = "out of memory"}};
    if (PQstatus(raw) == CONNECTION_BAD) throw connect_error(raw);
    // Verbose messages carry the SQLSTATE, which a refused connection tells in no other way.
    PQsetErrorVerbosity(raw, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(raw, ignore_notice, nullptr);

    const std::chrono::seconds limit = connect_limit(keywords);
    const auto deadline = Clock::now() + limit;
    for (auto wanted = PGRES_POLLING_WRITING; wanted != PGRES_POLLING_OK;
         wanted = PQconnectPoll(raw)) {
        if (wanted == PGRES_POLLING_FAILED) throw connect_error(raw);
        if (!wait_ready(raw, wanted, deadline)) throw timeout_error(keywords, limit);
    }
    return handle;
}

/// After these another host of the list would only refuse as well, as libpq sees it too.
bool final_refusal(const Error& error) {
    return error.sqlstate().starts_with("28") || error.sqlstate().starts_with("3D");
}

}  // namespace

Connection Connection::open(const ConnectOptions& options) {
    const std::vector<Keywords> tries = attempts(options);
    for (std::size_t i = 0;; ++i) {
        try {
            Connection connection{connect_one(tries[i]).release()};
            connection.settle();
            return connection;
        } catch (const Error& error) {
            if (i + 1 == tries.size() || final_refusal(error)) throw;
        }
    }
}

std::string Connection::option(std::string_view keyword) const {
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options{
        PQconninfo(raw_.get()), PQconninfoFree};
    for (auto* one = options.get(); one != nullptr && one->keyword != nullptr; ++one) {
        if (one->keyword == keyword) return one->val == nullptr ? "" : one->val;
    }
    return {};
}

bool Connection::over_network() const {
    const char* const text = PQhost(raw_.get());
    const std::string_view host{text == nullptr ? "" : text};
    const bool unix_socket = host.starts_with('/') || host.starts_with('@');
    return !unix_socket && !on_same_host(socket());
}

Connection::Connection(PGconn* raw)
    : raw_{raw},
      notice_{std::make_unique<NoticeHandler>()},
      interrupter_{std::make_shared<Interrupter>(raw)} {
    PQsetNoticeReceiver(
        raw,
        [](void* argument, const PGresult* notice) {
            const auto& handler = *static_cast<const NoticeHandler*>(argument);
            if (!handler) return;
            const auto field = [&](int code) {
                const char* const text = PQresultErrorField(notice, code);
                return std::string_view{text == nullptr ? "" : text};
            };
            handler(
                field(PG_DIAG_SEVERITY_NONLOCALIZED),
                field(PG_DIAG_SQLSTATE),
                field(PG_DIAG_MESSAGE_PRIMARY)
            );
        },
        notice_.get()
    );
}

/// Pins what the start-up packet's options cannot: libpq sends PGTZ and PGDATESTYLE of the
/// environment after them, and version 17 knows one more time-out that older servers refuse.
void Connection::settle() {
    if (parameter("TimeZone") != "UTC") exec("SET TimeZone = 'UTC'");
    if (parameter("DateStyle") != "ISO, MDY") exec("SET DateStyle = 'ISO, MDY'");
    if (server_version() >= 170000) exec("SET transaction_timeout = 0");
}

}  // namespace pgchronicle::pq
