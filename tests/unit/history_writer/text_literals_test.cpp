#include "history_writer/pg/text_literals.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::history_writer::pg;
using pgchronicle::pgoutput::PgTimestamp;

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t day = 86'400 * second;

}  // namespace

TEST_CASE("a time is counted from 2000 and written in UTC", "[history_writer]") {
    REQUIRE(timestamp_text(PgTimestamp{0}) == "2000-01-01 00:00:00.000000+00");
    REQUIRE(timestamp_text(PgTimestamp{1}) == "2000-01-01 00:00:00.000001+00");
    REQUIRE(timestamp_text(PgTimestamp{59 * day + second}) == "2000-02-29 00:00:01.000000+00");
    // SELECT (extract(epoch FROM '2026-11-21 11:55:29.123456+00'::timestamptz) - 946684800) * 1e6
    REQUIRE(timestamp_text(PgTimestamp{848'577'329'123'456}) == "2026-11-21 11:55:29.123456+00");
}

TEST_CASE("a time before 2000, and before 1970, is written like any other", "[history_writer]") {
    REQUIRE(timestamp_text(PgTimestamp{-1}) == "1999-12-31 23:59:59.999999+00");
    REQUIRE(timestamp_text(PgTimestamp{-10957 * day}) == "1970-01-01 00:00:00.000000+00");
    REQUIRE(timestamp_text(PgTimestamp{-10957 * day - 1}) == "1969-12-31 23:59:59.999999+00");
}

TEST_CASE("a JSON string escapes quotes, backslashes and control characters", "[history_writer]") {
    REQUIRE(json_string("plain") == "\"plain\"");
    REQUIRE(json_string("\"\\\n\x01") == "\"\\\"\\\\\\u000a\\u0001\"");
    REQUIRE(json_string("größe") == "\"größe\"");
}
