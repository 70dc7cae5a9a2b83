#include "tests/property/stream_run.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::test;

void check_every_crash(RunOptions options) {
    const auto seed = property_seed();
    std::size_t crashes = 0;
    for (std::uint64_t i = 0; i < property_cases; ++i) {
        const auto wrong = run_story(seed + i, options, crashes);
        if (!wrong.empty()) FAIL(wrong);
    }
    REQUIRE(crashes > property_cases);  // Else nothing was tried.
}

}  // namespace

TEST_CASE("a crash after any batch and a replay make the same history", "[property]") {
    check_every_crash({.cut_after_transaction = 3, .crash_after_batch = 3});
}

TEST_CASE("a crash inside of a transaction and a replay make the same history", "[property]") {
    check_every_crash(
        {.cut_after_transaction = 4, .cut_inside_transaction = 3, .crash_after_batch = 4}
    );
}
