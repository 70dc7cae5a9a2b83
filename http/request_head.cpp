#include "http/request_head.hpp"

#include <boost/beast/http/error.hpp>

#include <string>
#include <utility>

namespace pgchronicle::http {

namespace {

namespace beast = boost::beast;

constexpr unsigned http_1_1 = 11;

Refusal body_refusal() {
    return Refusal{
        {413, "body_too_large", "the request has a body", "Requests have none here.", {}, {}}};
}

std::string field(const auto& message, auto name) {
    const auto value = message[name];
    return {value.data(), value.size()};
}

}  // namespace

void set_limits(RequestParser& parser) {
    parser.header_limit(head_bytes_max);
    parser.body_limit(0);
}

Refusal refusal_of(const beast::error_code& error) {
    using Error = beast::http::error;
    if (error == Error::header_limit || error == Error::buffer_overflow) {
        return Refusal{
            {431,
             "head_too_large",
             "the head of the request is too large",
             "It may have " + std::to_string(head_bytes_max) + " bytes.",
             {},
             {}}};
    }
    if (error == Error::body_limit) return body_refusal();
    if (error == Error::bad_version) {
        return Refusal{{505, "bad_version", "HTTP 1.1 is spoken here", {}, {}, {}}};
    }
    return bad_request("the request is not HTTP", error.message() + ".");
}

std::optional<Refusal> objection_to(const RequestParser& parser) {
    using beast::http::field;
    const auto& message = parser.get();
    if (message.count(field::transfer_encoding) > 0 || message.count(field::content_length) > 1) {
        return bad_request("the request has a body of unclear length", "Requests have none here.");
    }
    if (const auto length = parser.content_length(); length && *length > 0) {
        return body_refusal();
    }
    const bool one_host = message.count(field::host) == 1;
    if (message.version() >= http_1_1 && !one_host) {
        return bad_request("the request does not name one host");
    }
    return std::nullopt;
}

Request to_request(const RequestParser& parser) {
    using Name = beast::http::field;
    const auto& message = parser.get();
    Request request;
    request.method = std::string{message.method_string()};
    request.target = std::string{message.target()};
    auto target = parse_target(request.target);
    request.path = std::move(target.path);
    request.query = std::move(target.query);
    if (message.count(Name::host) > 0) request.host = field(message, Name::host);
    request.if_none_match = field(message, Name::if_none_match);
    request.accept_encoding = field(message, Name::accept_encoding);
    request.origin = field(message, Name::origin);
    request.last_event_id = field(message, "Last-Event-ID");
    return request;
}

}  // namespace pgchronicle::http
