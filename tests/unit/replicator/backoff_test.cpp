#include "replicator/backoff.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using pgchronicle::replicator::Backoff;

constexpr double almost_one = 0.999999;

}  // namespace

TEST_CASE("a delay doubles from the smallest to the largest and stays there", "[replicator]") {
    Backoff backoff{{.delay_min = 200ms, .delay_max = 1000ms}};
    REQUIRE(backoff.next(0) == 100ms);
    REQUIRE(backoff.next(0) == 200ms);
    REQUIRE(backoff.next(0) == 400ms);
    REQUIRE(backoff.next(0) == 500ms);
    REQUIRE(backoff.next(0) == 500ms);
}

TEST_CASE("jitter spreads a delay over the upper half of its step", "[replicator]") {
    Backoff low{{.delay_min = 200ms, .delay_max = 30s}};
    Backoff middle{{.delay_min = 200ms, .delay_max = 30s}};
    Backoff high{{.delay_min = 200ms, .delay_max = 30s}};
    REQUIRE(low.next(0) == 100ms);
    REQUIRE(middle.next(0.5) == 150ms);
    REQUIRE(high.next(almost_one) == 199ms);
}

TEST_CASE("a success starts again from the smallest delay", "[replicator]") {
    Backoff backoff{{.delay_min = 200ms, .delay_max = 30s}};
    for (int i = 0; i < 20; ++i) static_cast<void>(backoff.next(0));
    REQUIRE(backoff.next(0) == 15s);
    backoff.reset();
    REQUIRE(backoff.next(0) == 100ms);
}
