#include "history_writer/spare_changes.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::history_writer;

std::unique_ptr<TableChanges> changes_of(std::size_t payload_bytes) {
    auto changes = std::make_unique<TableChanges>();
    changes->payload.resize(payload_bytes);
    return changes;
}

}  // namespace

TEST_CASE("spare changes come back empty and with their memory", "[history_writer]") {
    SpareChanges spare{100'000};
    spare.give(changes_of(10'000));
    const auto changes = spare.take();
    REQUIRE(changes->bytes() == 0);
    REQUIRE(changes->memory() >= 10'000);
    REQUIRE(spare.take()->memory() < 10'000);
}

TEST_CASE("no more memory is spared than was asked for, in all", "[history_writer]") {
    SpareChanges spare{100'000};
    spare.give(changes_of(1'000'000));
    REQUIRE(spare.take()->memory() < 10'000);
    for (int i = 0; i < 100; ++i) spare.give(changes_of(10'000));
    std::size_t kept = 0;
    for (int i = 0; i < 100; ++i) {
        const auto memory = spare.take()->memory();
        if (memory >= 10'000) kept += memory;
    }
    REQUIRE(kept > 50'000);
    REQUIRE(kept <= 100'000);
    // What was taken leaves room for others.
    spare.give(changes_of(90'000));
    REQUIRE(spare.take()->memory() >= 90'000);
}
