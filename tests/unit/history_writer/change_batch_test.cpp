#include "history_writer/change_batch.hpp"

#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::history_writer;

}  // namespace

TEST_CASE("every operation has the word that the history table holds", "[history_writer]") {
    using std::string;
    REQUIRE(name_of(Operation::insert) == string{"INSERT"});
    REQUIRE(name_of(Operation::update) == string{"UPDATE"});
    REQUIRE(name_of(Operation::remove) == string{"DELETE"});
    REQUIRE(name_of(Operation::truncate) == string{"TRUNCATE"});
    REQUIRE(name_of(Operation::rekey) == string{"REKEY"});
    REQUIRE(name_of(Operation::snapshot) == string{"SNAPSHOT"});
}

TEST_CASE("cleared changes are empty and keep their memory", "[history_writer]") {
    TableChanges changes;
    changes.table = pgchronicle::test::shared(pgchronicle::test::orders_table());
    changes.payload.resize(1000);
    changes.versions.emplace_back();
    changes.closes.emplace_back();
    REQUIRE(changes.bytes() >= 1000);
    const auto memory = changes.memory();
    REQUIRE(memory >= changes.bytes());
    changes.clear();
    REQUIRE(changes.empty());
    REQUIRE(changes.bytes() == 0);
    REQUIRE(changes.table == nullptr);
    REQUIRE(changes.memory() == memory);
}
