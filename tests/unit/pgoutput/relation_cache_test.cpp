#include "pgoutput/relation_cache.hpp"

#include "tests/support/sample_messages.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;
using pgchronicle::test::orders_relation;

TEST_CASE("a relation that was never sent is not found", "[pgoutput]") {
    RelationCache cache;
    cache.put(orders_relation());
    CHECK(cache.find(RelationId{1}) == nullptr);
}

TEST_CASE("the last description of a relation is in force", "[pgoutput]") {
    RelationCache cache;
    cache.put(orders_relation());
    auto renamed = orders_relation();
    renamed.name = "purchases";
    const auto put = cache.put(renamed);
    CHECK(cache.find(RelationId{16400}) == put);
    CHECK(*put == renamed);
}

TEST_CASE("a description lives as long as somebody holds it", "[pgoutput]") {
    RelationCache cache;
    const auto first = cache.put(orders_relation());
    auto renamed = orders_relation();
    renamed.name = "purchases";
    cache.put(renamed);
    cache.clear();
    CHECK(*first == orders_relation());
    CHECK(cache.find(RelationId{16400}) == nullptr);
}
