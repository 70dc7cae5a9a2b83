#include "verify/known_gaps.hpp"

#include <catch2/catch.hpp>

namespace {

using pgchronicle::pgoutput::Lsn;
using pgchronicle::verify::KnownGaps;

constexpr Lsn now{500};

}  // namespace

TEST_CASE("without a gap nothing is known", "[verify]") {
    const KnownGaps none{{}};
    REQUIRE_FALSE(none.explain(now, std::nullopt));
    REQUIRE_FALSE(none.explain_nulls(Lsn{100}));
}

TEST_CASE("a skipped range accounts for what was not written since", "[verify]") {
    const KnownGaps gaps{{{Lsn{100}, Lsn{200}, "skipped by an operator", false}}};
    REQUIRE(gaps.explain(now, std::nullopt));
    REQUIRE(gaps.explain(now, Lsn{150}));
    REQUIRE(gaps.explain(now, Lsn{50}));
    REQUIRE_FALSE(gaps.explain(now, Lsn{201}));
    REQUIRE_FALSE(gaps.explain(Lsn{99}, std::nullopt));
}

TEST_CASE("a comparison ends what not being published explains", "[verify]") {
    const KnownGaps open{{{Lsn{100}, Lsn{100}, "not_published", false}}};
    REQUIRE(open.explain(now, Lsn{400}));
    const KnownGaps ended{{{Lsn{100}, Lsn{300}, "not_published", true}}};
    REQUIRE_FALSE(ended.explain(now, Lsn{150}));
    REQUIRE(ended.explain(Lsn{299}, Lsn{150}));
}

TEST_CASE("a lost slot explains differences until the table is compared", "[verify]") {
    const KnownGaps open{{{Lsn{100}, Lsn{200}, "slot_lost", false}}};
    REQUIRE(open.explain(now, std::nullopt));
    REQUIRE(open.explain(now, Lsn{400}));
    REQUIRE_FALSE(open.explain(Lsn{99}, Lsn{50}));
    const KnownGaps compared{{{Lsn{100}, Lsn{300}, "slot_lost", true}}};
    REQUIRE_FALSE(compared.explain(now, Lsn{50}));
    REQUIRE(compared.explain(Lsn{299}, Lsn{50}));
}

TEST_CASE("a released quarantine explains what differs from its start to its repair", "[verify]") {
    const std::vector<KnownGaps::Gap> gap{{Lsn{100}, Lsn{100}, "quarantined", false}};
    REQUIRE_FALSE(KnownGaps{gap, {.left_behind = true}}.explain(now, Lsn{50}));
    REQUIRE_FALSE(KnownGaps{gap, {.left_behind = true}}.explain(now, std::nullopt));
    const KnownGaps open{gap};
    REQUIRE(open.explain(now, Lsn{50}));
    REQUIRE(open.explain(now, std::nullopt));
    REQUIRE_FALSE(open.explain(Lsn{99}, Lsn{50}));
    const KnownGaps ended{{{Lsn{100}, Lsn{300}, "quarantined", true}}};
    REQUIRE(ended.explain(Lsn{299}, Lsn{50}));
    REQUIRE_FALSE(ended.explain(Lsn{300}, Lsn{50}));
}

TEST_CASE("unknown values explain NULL from their version on, and nothing else", "[verify]") {
    const KnownGaps gaps{{{Lsn{100}, Lsn{200}, "value_unknown", false}}};
    REQUIRE(gaps.explain_nulls(Lsn{150}));
    REQUIRE(gaps.explain_nulls(Lsn{450}));
    REQUIRE_FALSE(gaps.explain_nulls(Lsn{99}));
    REQUIRE_FALSE(gaps.explain(now, Lsn{150}));
}

TEST_CASE("rows that were copied or compared behind a gap have none of it", "[verify]") {
    const std::vector<KnownGaps::Gap> skipped{
        {Lsn{100}, Lsn{200}, "skipped by an operator", false}};
    REQUIRE_FALSE(KnownGaps{skipped, {.rows = Lsn{200}}}.explain(now, std::nullopt));
    REQUIRE(KnownGaps{skipped, {.rows = Lsn{199}}}.explain(now, std::nullopt));
    const std::vector<KnownGaps::Gap> unknown{{Lsn{100}, Lsn{200}, "value_unknown", false}};
    REQUIRE_FALSE(KnownGaps{unknown, {.values = Lsn{200}}}.explain_nulls(Lsn{150}));
    REQUIRE(KnownGaps{unknown, {.rows = Lsn{200}}}.explain_nulls(Lsn{150}));
}

TEST_CASE("a gap of a kind that is not known explains its own range only", "[verify]") {
    const KnownGaps gaps{{{Lsn{100}, Lsn{200}, "something new", false}}};
    REQUIRE(gaps.explain(now, Lsn{150}));
    REQUIRE_FALSE(gaps.explain(now, Lsn{201}));
}

TEST_CASE("changes were missed in any gap but one of values", "[verify]") {
    const KnownGaps gaps{
        {{Lsn{100}, Lsn{200}, "value_unknown", false},
         {Lsn{300}, Lsn{400}, "skipped by an operator", false}}};
    REQUIRE(gaps.missed().size() == 1);
    REQUIRE(gaps.missed().front().from == Lsn{300});
}

TEST_CASE("behind the last gap everything is known, unless one lasts", "[verify]") {
    REQUIRE(KnownGaps{{}}.complete_from() == Lsn{});
    const KnownGaps ended{
        {{Lsn{100}, Lsn{300}, "quarantined", true},
         {Lsn{120}, Lsn{200}, "skipped by an operator", false},
         {Lsn{100}, Lsn{400}, "value_unknown", false}}};
    REQUIRE(ended.complete_from() == Lsn{300});
    const KnownGaps lasting{{{Lsn{100}, Lsn{100}, "not_published", false}}};
    REQUIRE(lasting.complete_from() == std::nullopt);
}
