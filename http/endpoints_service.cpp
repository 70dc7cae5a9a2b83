#include "http/endpoints.hpp"
#include "reading/output.hpp"

#include <charconv>
#include <string>
#include <utility>

namespace pgchronicle::http {

namespace {

constexpr unsigned status_unavailable = 503;

Answer json(std::string body, unsigned status = 200) {
    Answer answer;
    answer.status = status;
    answer.body = std::move(body);
    if (status == status_unavailable) answer.headers.push_back({"Retry-After", "1"});
    return answer;
}

std::string text_or_null(const std::string& text) {
    if (text.empty()) return "null";
    std::string out;
    reading::append_json_string(out, text);
    return out;
}

/// Said to whoever asks: not why a server cannot be reached.
std::string summary(const Observation& seen, bool good, const char* name) {
    const auto position = seen.position ? to_string(*seen.position) : std::string{};
    return std::string{"{\""} + name + "\":" + (good ? "true" : "false") +
           ",\"health\":" + text_or_null(seen.health) + ",\"state\":" + text_or_null(seen.state) +
           ",\"target\":" + (seen.health.empty() ? "false" : "true") +
           ",\"source\":" + (seen.source_error.empty() ? "true" : "false") +
           ",\"position\":" + text_or_null(position) + ",\"gaps\":" + std::to_string(seen.gaps) +
           ",\"quarantines\":" + std::to_string(seen.quarantines) + "}";
}

Answer verdict(const Lookout& lookout, const char* name, bool (*is_good)(const Observation&)) {
    const auto* seen = lookout.now();
    const Observation nothing;
    const bool good = seen != nullptr && is_good(*seen);
    return json(
        summary(seen == nullptr ? nothing : *seen, good, name), good ? 200 : status_unavailable
    );
}

double since_of(const Query& query) {
    const auto text = query.one("since");
    if (!text) return 0;
    double value = 0;
    const auto* const end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end) {
        throw bad_request(
            "invalid value \"" + *text + "\" for parameter \"since\"",
            "It is a time in seconds, as the samples have."
        );
    }
    return value;
}

void no_parameters(const Request& request) {
    request.query.only({});
}

constexpr const char* verdict_schema =
    R"({"type":"object","properties":{"health":{"type":"string","nullable":true},)"
    R"("state":{"type":"string","nullable":true},"target":{"type":"boolean"},)"
    R"("source":{"type":"boolean"},"position":{"type":"string","nullable":true},)"
    R"("gaps":{"type":"integer"},"quarantines":{"type":"integer"}}})";

}  // namespace

void add_service_endpoints(
    Router& router,
    const Lookout& lookout,
    const Metrics& metrics,
    bool replicates
) {
    router.add(
        {.path = "/health",
         .name = "health",
         .summary = "Whether the target answers, and the history has neither gap nor quarantine",
         .answer =
             [&lookout](const Request&) {
                 return verdict(lookout, "healthy", [](const Observation& seen) {
                     return seen.health == "green";
                 });
             },
         .check = no_parameters,
         .schema = verdict_schema}
    );
    router.add(
        {.path = "/ready",
         .name = "ready",
         .summary = replicates ? "Whether changes are streamed, behind the first copy"
                               : "Whether there is a history that can be read",
         .answer =
             [&lookout, replicates](const Request&) {
                 return verdict(
                     lookout,
                     "ready",
                     replicates ? [](const Observation& seen) { return seen.state == "streaming"; }
                                : [](const Observation& seen) { return seen.position.has_value(); }
                 );
             },
         .check = no_parameters,
         .schema = verdict_schema}
    );
    router.add(
        {.path = "/status",
         .name = "status",
         .summary = "State, lag, slot, tables, quarantines and gaps, as status --json has them",
         .answer =
             [&lookout](const Request&) {
                 const auto* seen = lookout.now();
                 if (seen == nullptr) {
                     throw unavailable("unavailable", "the state of the pipeline is not known yet");
                 }
                 return json(seen->status_json);
             },
         .check = no_parameters,
         .schema = R"({"type":"object"})"}
    );
    router.add(
        {.path = "/metrics",
         .name = "metrics",
         .summary = "Everything that is counted, in Prometheus' text format",
         .answer =
             [&metrics](const Request&) {
                 Answer answer;
                 answer.type = "text/plain; version=0.0.4; charset=utf-8";
                 answer.body = metrics.text();
                 return answer;
             },
         .check = no_parameters,
         .type = "text/plain",
         .schema = R"({"type":"string"})"}
    );
    router.add(
        {.path = "/metrics/history",
         .name = "metrics_history",
         .summary = "Lag and throughput of the last twenty minutes, a sample each second",
         .answer = [&lookout](const Request& request
                   ) { return json(lookout.samples_json(since_of(request.query))); },
         .check = [](const Request& request) { request.query.only({"since"}); },
         .parameters =
             {{.name = "since",
               .description = "Only samples after this one's t",
               .type = "number"}},
         .schema =
             R"({"type":"array","items":{"type":"object","properties":{"t":{"type":"number"},)"
             R"("lag_bytes":{"type":"integer","nullable":true},)"
             R"("lag_seconds":{"type":"number","nullable":true},)"
             R"("rows_per_second":{"type":"number","nullable":true}}}})"}
    );
}

}  // namespace pgchronicle::http
