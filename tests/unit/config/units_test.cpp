#include "config/units.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace pgchronicle::config;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

}  // namespace

TEST_CASE("a duration is a whole number and a unit", "[config]") {
    const std::vector<std::pair<std::string, milliseconds>> cases{
        {"50ms", 50ms},
        {"2s", 2s},
        {"5min", 5min},
        {"1h", 1h},
        {"7d", 168h},
        {"5 min", 5min},
        {"0", 0ms},
        {"0s", 0ms},
        {"9223372036854775807ms", milliseconds::max()}};
    for (const auto& [text, duration] : cases) {
        CAPTURE(text);
        REQUIRE(parse_duration(text) == duration);
    }
}

TEST_CASE("a duration of any other form is refused", "[config]") {
    for (const auto* text :
         {"",
          "50",
          "ms",
          "-5s",
          "+5s",
          "1.5s",
          "5m",
          "5 minutes",
          "5S",
          "5s ",
          " 5s",
          "1h30min",
          "9223372036854775808ms",
          "99999999999999999999s",
          "9223372036854775807s",
          "0x5s"}) {
        CAPTURE(text);
        REQUIRE_FALSE(parse_duration(text).has_value());
    }
}

TEST_CASE("a size is a whole number of bytes or with a binary unit", "[config]") {
    const std::vector<std::pair<std::string, std::uint64_t>> cases{
        {"512KiB", 524'288},
        {"32MiB", 33'554'432},
        {"1GiB", 1'073'741'824},
        {"2TiB", 2'199'023'255'552},
        {"100", 100},
        {"100B", 100},
        {"32 MiB", 33'554'432},
        {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()}};
    for (const auto& [text, bytes] : cases) {
        CAPTURE(text);
        REQUIRE(parse_size(text) == bytes);
    }
}

TEST_CASE("a size of any other form is refused", "[config]") {
    for (const auto* text :
         {"",
          "MiB",
          "32MB",
          "32M",
          "32kB",
          "32mib",
          "-1",
          "1.5GiB",
          "32 ",
          "1e6",
          "18446744073709551616",
          "16777216TiB"}) {
        CAPTURE(text);
        REQUIRE_FALSE(parse_size(text).has_value());
    }
}

TEST_CASE("a count is digits only", "[config]") {
    REQUIRE(parse_count("50000") == 50'000U);
    for (const auto* text :
         {"", "-1", "+1", "1.0", "1e3", "50_000", "1 ", "18446744073709551616"}) {
        CAPTURE(text);
        REQUIRE_FALSE(parse_count(text).has_value());
    }
}

TEST_CASE("what is formatted reads back as the same, in the largest whole unit", "[config]") {
    REQUIRE(format_duration(0ms) == "0ms");
    REQUIRE(format_duration(1500ms) == "1500ms");
    REQUIRE(format_duration(300'000ms) == "5min");
    REQUIRE(format_duration(24h) == "1d");
    REQUIRE(format_size(0) == "0B");
    REQUIRE(format_size(1000) == "1000B");
    REQUIRE(format_size(256ULL << 20U) == "256MiB");
    for (const auto bytes : {1ULL, 1023ULL, 1024ULL, 1536ULL, 1ULL << 40U}) {
        REQUIRE(parse_size(format_size(bytes)) == bytes);
        const milliseconds duration{bytes};
        REQUIRE(parse_duration(format_duration(duration)) == duration);
    }
}
