#include "http/answer.hpp"

#include "http/as_of_token.hpp"
#include "http/wire.hpp"
#include "pq/error.hpp"
#include "reading/error.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::http;

namespace {

template <typename Failure>
Explained explained(Failure failure) {
    return explain(std::make_exception_ptr(std::move(failure)));
}

}  // namespace

TEST_CASE("every error has the same fields", "[http]") {
    CHECK(
        error_json(bad_request("a \"b\"", "More.")) ==
        R"({"error":{"message":"a \"b\"","detail":"More.","hint":null,"code":"bad_request"}})"
    );
    const auto answer = answer_of(unavailable("busy", "too much"));
    CHECK(answer.status == 503);
    CHECK(answer.headers == std::vector<Header>{{"Retry-After", "1"}});
}

TEST_CASE("what a request may know of a failure is told, and no more", "[http]") {
    using reading::ErrorKind;
    const auto of = [](ErrorKind kind) {
        return explained(reading::Error{{.kind = kind, .primary = "p"}}).refusal.fields.status;
    };
    CHECK(of(ErrorKind::not_found) == 404);
    CHECK(of(ErrorKind::ambiguous) == 400);
    CHECK(of(ErrorKind::bad_request) == 400);
    CHECK(of(ErrorKind::too_early) == 400);
    CHECK(of(ErrorKind::too_late) == 409);
    CHECK(of(ErrorKind::not_ready) == 503);

    const auto lost = explained(pq::Error{
        {.primary = "connection to server at \"10.0.0.7\" failed", .connection_lost = true}});
    CHECK(lost.refusal.fields.status == 503);
    CHECK(error_json(lost.refusal).find("10.0.0.7") == std::string::npos);
    CHECK(lost.told.find("10.0.0.7") != std::string::npos);

    const auto status = [](const char* state) {
        return explained(pq::Error{{.sqlstate = state, .primary = "p"}}).refusal.fields.status;
    };
    CHECK(status("57014") == 504);
    CHECK(status("22P02") == 500);
    CHECK(status("40001") == 503);
    CHECK(status("42P01") == 500);
    CHECK(
        explained(std::runtime_error{"secret"}).refusal.fields.message.find("secret") ==
        std::string::npos
    );
}

TEST_CASE("the tag tells LSNs, questions and answers apart", "[http]") {
    Answer answer;
    answer.body = "[]";
    answer.lsn = pgoutput::Lsn{0x1A};
    const auto tag = tag_of(answer, "/a");
    CHECK(tag.starts_with("\"1a-"));
    CHECK(tag_of(answer, "/a") == tag);
    CHECK(tag_of(answer, "/b") != tag);
    answer.body = "[1]";
    CHECK(tag_of(answer, "/a") != tag);
}

TEST_CASE("what is large is compressed, and what is small is not", "[http]") {
    Answer answer;
    answer.body = std::string(5'000, 'a');
    const auto small = gzipped(answer);
    CHECK(small.gzipped);
    CHECK(small.body.size() < 100);
    CHECK(small.body.substr(0, 2) == "\x1f\x8b");
    answer.body = "[]";
    CHECK(gzipped(answer).body == "[]");
}

TEST_CASE("a page's token holds its moment, and is good for its table only", "[http]") {
    const AsOfPlace by_lsn{pgoutput::Lsn{0x16B374D848}, {}, {"7", "a\nb", ""}};
    const AsOfPlace by_time{{}, "2026-11-21 00:00:00+00", {"7"}};
    for (const auto& place : {by_lsn, by_time}) {
        CHECK(parse_as_of_token(as_of_token(place, "a.b"), "a.b") == place);
        CHECK_THROWS_AS(parse_as_of_token(as_of_token(place, "a.b"), "a.c"), Refusal);
    }
    for (const auto* token : {"", "x", "AAAA", "!!"}) {
        CHECK_THROWS_AS(parse_as_of_token(token, "a.b"), Refusal);
    }
}

TEST_CASE("pages of other origins read only where that is allowed", "[http]") {
    CHECK(wire::cors_headers({}, "https://a.example", true).empty());
    CHECK(wire::cors_headers({"https://a.example"}, "https://b.example", false).empty());
    CHECK(wire::cors_headers({"https://a.example"}, "", false).empty());
    const auto allowed = wire::cors_headers({"https://a.example"}, "https://a.example", false);
    REQUIRE_FALSE(allowed.empty());
    CHECK(allowed.front() == Header{"Access-Control-Allow-Origin", "https://a.example"});
    CHECK(
        wire::cors_headers({"*"}, "https://b.example", false).front() ==
        Header{"Access-Control-Allow-Origin", "*"}
    );
    CHECK(wire::http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
}
