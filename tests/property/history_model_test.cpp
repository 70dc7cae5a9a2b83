#include "tests/property/stream_run.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;

}  // namespace

TEST_CASE("the model keeps a row's versions through its life", "[property]") {
    const TableSpec orders{.name = "orders", .columns = {"id", "status"}, .key = {0}};
    const auto at = [](std::uint64_t lsn) { return pgoutput::Lsn{lsn}; };
    const auto time = [](std::int64_t us) { return pgoutput::PgTimestamp{us}; };
    HistoryModel model;
    model.begin(at(10), time(100));
    model.insert(orders, {"1", "new"});
    model.begin(at(20), time(90));  // The clock steps back; what is recorded does not.
    model.update(orders, {"1", "new"}, {"2", "new"});
    model.begin(at(30), time(300));
    model.remove(orders, {"2", "new"});
    const ModelTable wanted{
        {{"1", "new"}, at(10), 1, "INSERT", time(100), at(20), time(100)},
        {{"1", "new"}, at(20), 1, "REKEY", time(100), at(20), time(100)},
        {{"2", "new"}, at(20), 1, "UPDATE", time(100), at(30), time(300)},
        {{"2", "new"}, at(30), 1, "DELETE", time(300), at(30), time(300)},
    };
    REQUIRE(model.history().at("orders") == wanted);
}

TEST_CASE(
    "the model ends one of several identical rows, and all of them by TRUNCATE",
    "[property]"
) {
    const TableSpec bag{.name = "bag", .columns = {"v"}, .full = true};
    const auto at = [](std::uint64_t lsn) { return pgoutput::Lsn{lsn}; };
    const pgoutput::PgTimestamp time{5};
    HistoryModel model;
    model.begin(at(10), time);
    model.insert(bag, {"x"});
    model.insert(bag, {"x"});
    model.insert(bag, {"x"});
    model.remove(bag, {"x"});
    model.truncate({&bag});
    const ModelTable wanted{
        {{"x"}, at(10), 1, "INSERT", time, at(10), time},
        {{"x"}, at(10), 2, "INSERT", time, at(10), time},
        {{"x"}, at(10), 3, "INSERT", time, at(10), time},
        {{"x"}, at(10), 4, "DELETE", time, at(10), time},
        {{"x"}, at(10), 5, "TRUNCATE", time, at(10), time},
        {{"x"}, at(10), 5, "TRUNCATE", time, at(10), time},
    };
    REQUIRE(model.history().at("bag") == wanted);
}

TEST_CASE("one batch makes the history that the model makes", "[property]") {
    const auto seed = property_seed();
    std::size_t disturbances = 0;
    for (std::uint64_t i = 0; i < property_cases; ++i) {
        const auto wrong = run_story(seed + i, {}, disturbances);
        if (!wrong.empty()) FAIL(wrong);
    }
    REQUIRE(disturbances == 0);
}
