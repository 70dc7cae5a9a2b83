#include "tests/property/stream_run.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
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

/// How many versions table "narrow" (id, name, hidden, big; hidden is left out) has of a row of
/// which only `hidden` changes. The first change does not send `big`, the second one does; with
/// `cut` they come in batches of their own.
std::size_t versions_of_unchanged_row(bool cut) {
    MemoryTarget target;
    hw::BatchBuilder builder{hw::WireForm::text};
    const auto table = history_table(4);
    std::uint64_t lsn = 0;
    const auto write = [&] {
        auto batch = builder.take(false);
        batch.position = pgoutput::Lsn{lsn};
        target.write(batch);
    };
    const auto begin = [&] {
        lsn += 10;
        builder.begin_transaction({pgoutput::Lsn{lsn}, pgoutput::PgTimestamp{5}});
    };
    const auto update = [&](const Row& row) {
        begin();
        REQUIRE_FALSE(builder.update(table, {{}, {}, {}, {}, row.tuple()}, 1));
    };
    begin();
    const Row row{text("1"), text("a"), text("x"), text("large")};
    REQUIRE_FALSE(builder.insert(table, row.tuple(), 1));
    write();
    update({text("1"), text("a"), text("y"), unchanged()});
    if (cut) write();
    update({text("1"), text("a"), text("z"), text("large")});
    write();
    return target.tables().at("narrow").size();
}

}  // namespace

TEST_CASE("a row that only the target can recognise is, whatever the split", "[property]") {
    REQUIRE(versions_of_unchanged_row(true) == 1);
    REQUIRE(versions_of_unchanged_row(false) == 1);
}

TEST_CASE("any split between transactions makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 3});
}

TEST_CASE("any split inside of transactions makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 4, .cut_inside_transaction = 4});
}

TEST_CASE("a batch for every change makes the same history", "[property]") {
    check_every_cut({.cut_after_transaction = 1, .cut_inside_transaction = 1});
}
