#include "tests/property/stream_run.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::test;

void check_every_cut(RunOptions options) {
    const auto seed = property_seed();
    std::size_t cuts = 0;
    for (std::uint64_t i = 0; i < property_cases; ++i) {
        const auto wrong = run_story(seed + i, options, cuts);
        if (!wrong.empty()) FAIL(wrong);
    }
    REQUIRE(cuts > property_cases);  // Else nothing was tried.
}

}  // namespace

TEST_CASE("any split between transactions makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 3});
}

TEST_CASE("any split inside of transactions makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 4, .cut_inside_transaction = 4});
}

TEST_CASE("a batch for every change makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 1, .cut_inside_transaction = 1});
}
