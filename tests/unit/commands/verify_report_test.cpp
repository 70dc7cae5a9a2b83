#include "commands/verify_report.hpp"

#include <catch2/catch.hpp>

#include <sstream>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::verify;
using Catch::Contains;

Report equal() {
    Report report;
    report.pipeline = "shop";
    report.lsn = pgoutput::Lsn{0x1B0};
    report.time = "2026-11-22 02:00:00+00";
    TableReport& table = report.tables.emplace_back();
    table.source = "shop.orders";
    table.history = "analytics.orders_history";
    table.rows = table.versions = 1200;
    table.invariants = 13;
    report.seconds = 1.25;
    return report;
}

Report unequal() {
    auto report = equal();
    auto& table = report.tables[0];
    table.differences = 25;
    table.keys.push_back({DifferenceKind::missing, {{"id", "5"}}, 1, {}});
    table.keys.push_back({DifferenceKind::differs, {{"id", "7"}}, 1, {"note", "total"}});
    table.keys.push_back({DifferenceKind::several, {{"id", "9"}}, 2, {}});
    table.broken.push_back(
        {"v02_one_current", "A key with more than one current version.", 1, {{{"id", "9"}}}}
    );
    return report;
}

std::string text_of(const Report& report) {
    std::ostringstream out;
    commands::print_text(report, out);
    return out.str();
}

std::string json_of(const Report& report) {
    std::ostringstream out;
    commands::print_json(report, out);
    return out.str();
}

}  // namespace

TEST_CASE("what is equal is said in a table and a line", "[commands]") {
    REQUIRE(
        text_of(equal()) ==
        "pipeline shop at LSN 0/1B0, 2026-11-22 02:00:00+00\n\n"
        "table        rows  versions  differences  gaps  invariants\n"
        "shop.orders  1200  1200      0            0     13 hold\n\n"
        "equal: 1200 rows of 1 table in 1.2 s\n"
    );
}

TEST_CASE("differences are told with their keys, and how many are not", "[commands]") {
    const auto text = text_of(unequal());
    REQUIRE_THAT(text, Contains("shop.orders  1200  1200      25           0     1 of 13 broken"));
    REQUIRE_THAT(text, Contains("\nshop.orders: 25 differences\n    id = 5: missing in history\n"));
    REQUIRE_THAT(text, Contains("    id = 7: differs in note, total\n"));
    REQUIRE_THAT(text, Contains("    id = 9: 2 versions at once\n    and 22 more\n"));
    REQUIRE_THAT(text, Contains("shop.orders: v02_one_current is broken once\n"));
    REQUIRE_THAT(text, Contains("\nNOT equal: 25 differences, 1 invariant broken in 1.2 s\n"));
}

TEST_CASE("a sample says so, also where nothing differs", "[commands]") {
    auto report = equal();
    report.sample = {"5%", 42};
    REQUIRE_THAT(text_of(report), Contains("A SAMPLE of 5% of each table, seed 42"));
    REQUIRE_THAT(text_of(report), Contains("\nno difference in a sample: 1200 rows"));
    REQUIRE_THAT(json_of(report), Contains(R"("sample": {"asked": "5%", "seed": 42})"));
}

TEST_CASE("a table that cannot be compared is not equal", "[commands]") {
    auto report = equal();
    report.tables[0].outcome = TableOutcome::unknown;
    report.tables[0].why = "its rows are still to be copied";
    REQUIRE_FALSE(report.sound());
    REQUIRE_THAT(text_of(report), Contains("not compared, its rows are still to be copied"));
    REQUIRE_THAT(text_of(report), Contains("NOT equal: 0 differences, 1 table not compared"));
}

TEST_CASE("the JSON has the same fields", "[commands]") {
    const auto json = json_of(unequal());
    REQUIRE_THAT(json, Contains(R"({"pipeline": "shop", "equal": false, "lsn": "0/1B0")"));
    REQUIRE_THAT(
        json,
        Contains(
            R"({"kind": "differs", "key": {"id": "7"}, "count": 1, "columns": ["note", "total"]})"
        )
    );
    REQUIRE_THAT(json, Contains(R"("broken": [{"check": "v02_one_current")"));
    REQUIRE_THAT(json, Contains(R"("sample": null)"));
}

TEST_CASE("what a row says does not reach the terminal raw", "[commands]") {
    auto report = unequal();
    report.tables[0].keys[0].key = {{"id", "\x1b[2J\n"}};
    REQUIRE_THAT(text_of(report), Contains(R"(id = \x1b[2J\n: missing)"));
}
