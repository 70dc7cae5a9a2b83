#include "http/refusal.hpp"

#include "pq/error.hpp"
#include "reading/error.hpp"
#include "reading/output.hpp"

#include <string_view>

namespace pgchronicle::http {

namespace {

constexpr unsigned status_bad_request = 400;
constexpr unsigned status_not_found = 404;
constexpr unsigned status_conflict = 409;
constexpr unsigned status_internal = 500;
constexpr unsigned status_unavailable = 503;
constexpr unsigned status_timeout = 504;

Refusal of_reading(const reading::Error& error) {
    const auto fields = [&](unsigned status, std::string code) {
        return Refusal{{status, std::move(code), error.primary, error.detail, error.hint, {}}};
    };
    switch (error.kind) {
    case reading::ErrorKind::not_found:
        return fields(status_not_found, "not_found");
    case reading::ErrorKind::ambiguous:
        return fields(status_bad_request, "ambiguous");
    case reading::ErrorKind::bad_request:
        return fields(status_bad_request, "bad_request");
    case reading::ErrorKind::too_early:
        return fields(status_bad_request, "too_early");
    case reading::ErrorKind::too_late:
        return fields(status_conflict, "too_late");
    case reading::ErrorKind::too_large:
        return fields(status_bad_request, "too_large");
    case reading::ErrorKind::not_ready:
        return unavailable("not_ready", error.primary, error.detail, error.hint);
    }
    return fields(status_internal, "internal");
}

/// What the target says of a statement is told; of a connection that fails, only that it does.
/// Values of requests have been checked by those who bind them: data that a query cannot work with,
/// as where it divides by zero, is the query's affair, not the client's.
Explained of_target(const pq::Error& error) {
    constexpr std::string_view query_canceled = "57014";
    const std::string told =
        error.primary() + (error.detail().empty() ? "" : " (" + error.detail() + ")");
    if (error.connection_lost() || error.sqlstate().empty()) {
        return {
            unavailable(
                "unavailable",
                "could not ask the target",
                "The database does not answer, or refuses the connection.",
                "The log of the service says why."
            ),
            told};
    }
    const auto& state = error.sqlstate();
    if (state == query_canceled) {
        return {
            Refusal{
                {status_timeout,
                 "timeout",
                 "the target needed too long for an answer",
                 error.primary(),
                 "http.statement_timeout is how long it may take.",
                 {}}},
            {}};
    }
    constexpr std::string_view not_in_prerequisite_state = "55000";
    if (state == not_in_prerequisite_state) {
        return {
            Refusal{
                {status_conflict, "not_known", error.primary(), error.detail(), error.hint(), {}}},
            {}};
    }
    constexpr std::string_view read_only = "25006";
    if (state != read_only && error.disposition() != pq::Disposition::halt) {
        return {unavailable("unavailable", error.primary(), error.detail(), error.hint()), told};
    }
    return {
        Refusal{
            {status_internal,
             "target_error",
             "the target refused the query",
             "SQLSTATE " + state + ".",
             "The log of the service says more.",
             {}}},
        told};
}

}  // namespace

Refusal bad_request(std::string message, std::string detail) {
    return Refusal{
        {status_bad_request, "bad_request", std::move(message), std::move(detail), {}, {}}};
}

Refusal not_found(std::string message) {
    return Refusal{{status_not_found, "not_found", std::move(message), {}, {}, {}}};
}

Refusal unavailable(std::string code, std::string message, std::string detail, std::string hint) {
    return Refusal{
        {status_unavailable,
         std::move(code),
         std::move(message),
         std::move(detail),
         std::move(hint),
         {{"Retry-After", "1"}}}};
}

Explained explain(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const Refusal& refusal) {
        return {refusal, {}};
    } catch (const reading::Error& error) {
        return {of_reading(error), {}};
    } catch (const pq::Error& error) {
        return of_target(error);
    } catch (const std::exception& error) {
        return {
            Refusal{{status_internal, "internal", "the request could not be answered", {}, {}, {}}},
            error.what()};
    }
}

std::string error_json(const Refusal& refusal) {
    std::string out{"{\"error\":{\"message\":"};
    const auto& fields = refusal.fields;
    const auto add = [&](const std::string& text) {
        if (text.empty()) {
            out += "null";
        } else {
            reading::append_json_string(out, text);
        }
    };
    add(fields.message);
    out += ",\"detail\":";
    add(fields.detail);
    out += ",\"hint\":";
    add(fields.hint);
    out += ",\"code\":";
    add(fields.code);
    return out + "}}";
}

}  // namespace pgchronicle::http
