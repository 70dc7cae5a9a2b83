#include "following/page.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::following;
using pgchronicle::pgoutput::Lsn;

namespace {

SizedPosition change(std::uint64_t lsn, std::uint64_t seq, std::size_t bytes = 100) {
    return {Lsn{lsn}, seq, bytes};
}

constexpr PageLimits limits{.rows = 4, .bytes = 1000};

}  // namespace

TEST_CASE("a page without changes is nothing", "[following]") {
    REQUIRE(plan_page({}, true, limits).nothing);
}

TEST_CASE("a page takes all that is there when it fits", "[following]") {
    const auto plan = plan_page({change(1, 1), change(1, 2), change(2, 1)}, true, limits);
    REQUIRE_FALSE(plan.large);
    REQUIRE(plan.upto == Position{Lsn{2}, 1, Position::all});
}

TEST_CASE("a page never ends within a seq", "[following]") {
    // The fifth row shows that there are more; whether they are of the fourth's seq is not known.
    const auto plan = plan_page(
        {change(1, 1), change(1, 2), change(2, 1), change(2, 1), change(2, 1)}, false, limits
    );
    REQUIRE_FALSE(plan.large);
    REQUIRE(plan.upto == Position{Lsn{1}, 2, Position::all});
}

TEST_CASE("a page ends before the change that makes it too large", "[following]") {
    const auto plan = plan_page({change(1, 1, 600), change(1, 2, 600)}, true, limits);
    REQUIRE(plan.upto == Position{Lsn{1}, 1, Position::all});
}

TEST_CASE("one row may be larger than a page", "[following]") {
    const auto plan = plan_page({change(1, 1, 5000), change(1, 2)}, true, limits);
    REQUIRE_FALSE(plan.large);
    REQUIRE(plan.upto == Position{Lsn{1}, 1, Position::all});
}

TEST_CASE("a seq with more changes than a page is large", "[following]") {
    const std::vector<SizedPosition> same(5, change(3, 1));
    const auto plan = plan_page(same, false, limits);
    REQUIRE(plan.large);
    REQUIRE(plan.upto == Position{Lsn{3}, 1, Position::all});
}

TEST_CASE("a seq whose few rows are huge is large, too", "[following]") {
    const auto plan = plan_page({change(3, 1, 900), change(3, 1, 900)}, true, limits);
    REQUIRE(plan.large);
}

TEST_CASE("a seq that fills a page to its last row is not large", "[following]") {
    const std::vector<SizedPosition> same(4, change(3, 1));
    const auto plan = plan_page(same, true, limits);
    REQUIRE_FALSE(plan.large);
    REQUIRE(plan.upto == Position{Lsn{3}, 1, Position::all});
}
