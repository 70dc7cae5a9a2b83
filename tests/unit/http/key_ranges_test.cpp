#include "http/key_ranges.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace pgchronicle::http;
using pgchronicle::reading::Column;

namespace {

const Column number{"id", "bigint", 20};
const Column region{"region", "text", 25};
const Column uid{"uid", "uuid", 2950};
const Column day{"day", "date", 1082};

KeyBound id(std::string comparison, std::string value) {
    return {"id", std::move(comparison), std::move(value), "bigint"};
}

}  // namespace

TEST_CASE("whole numbers that begin with digits are in a range for each length", "[http]") {
    const auto found = key_ranges({number}, "12");
    REQUIRE(found.size() == 18);
    CHECK(found[0] == KeyRange{id(">=", "12"), id("<=", "12")});
    CHECK(found[1] == KeyRange{id(">=", "120"), id("<=", "129")});
    CHECK(found[17] == KeyRange{id(">=", "1200000000000000000"), id("<=", "1299999999999999999")});
    CHECK(
        key_ranges({number}, "9").back() ==
        KeyRange{id(">=", "9000000000000000000"), id("<=", "9223372036854775807")}
    );
    CHECK(key_ranges({number}, "-7")[1] == KeyRange{id(">=", "-79"), id("<=", "-70")});
    CHECK(
        key_ranges({number}, "-9").back() ==
        KeyRange{id(">=", "-9223372036854775808"), id("<=", "-9000000000000000000")}
    );
    CHECK(key_ranges({number}, "0") == std::vector<KeyRange>{{id("=", "0")}});
    CHECK(key_ranges({number}, "-") == std::vector<KeyRange>{{id("<", "0")}});
    for (const auto* none : {"01", "-0", "+1", "x", "1x", "%", "99999999999999999999", "1,2"}) {
        CHECK(key_ranges({number}, none).empty());
    }
}

TEST_CASE("numerics are in such ranges with all that is between", "[http]") {
    const Column price{"price", "numeric", 1700};
    const auto bounds = [](const KeyRange& range) {
        REQUIRE(range.size() == 2);
        return range[0].comparison + range[0].value + ' ' + range[1].comparison + range[1].value;
    };
    const auto found = key_ranges({price}, "12");
    REQUIRE(found.size() == 39);
    CHECK(bounds(found[0]) == ">=12 <13");
    CHECK(bounds(found[1]) == ">=120 <130");
    CHECK(bounds(key_ranges({price}, "-99").at(1)) == "<=-990 >-1000");
    CHECK(key_ranges({price}, "12.5").size() == 1);
    CHECK(bounds(key_ranges({price}, "12.5")[0]) == ">=12 <13");
    CHECK(bounds(key_ranges({price}, "-0.").at(0)) == "<=-0 >-1");
    for (const auto* none : {"x", "01", "--1", ".5", "NaN"}) {
        CHECK(key_ranges({price}, none).empty());
    }
}

TEST_CASE("texts and UUIDs are from the prefix on, other types anywhere", "[http]") {
    CHECK(key_ranges({region}, "EU") == std::vector<KeyRange>{{{"region", ">=", "EU", "text"}}});
    CHECK(
        key_ranges({uid}, "0a12bc34-d") ==
        std::vector<KeyRange>{{{"uid", ">=", "0a12bc34-d000-0000-0000-000000000000", "uuid"}}}
    );
    CHECK(key_ranges({uid}, "0A").empty());
    CHECK(key_ranges({uid}, "0a12bc34d").empty());
    CHECK(key_ranges({day}, "2026") == std::vector<KeyRange>{{}});
}

TEST_CASE("behind a comma the next column of the key begins", "[http]") {
    const KeyBound eu{"region", "=", "EU", "text"};
    const KeyBound text{"region", ">=", "EU,7", "text"};
    const auto found = key_ranges({region, number}, "EU,7");
    REQUIRE(found.size() == 20);
    CHECK(found.front() == KeyRange{eu, id(">=", "7"), id("<=", "7")});
    CHECK(found.back() == KeyRange{text});
    CHECK(
        key_ranges({region, number}, "EU,") ==
        std::vector<KeyRange>{{eu}, {{"region", ">=", "EU,", "text"}}}
    );
    CHECK(
        key_ranges({number, region}, "7,a") ==
        std::vector<KeyRange>{{id("=", "7"), {"region", ">=", "a", "text"}}}
    );
}
