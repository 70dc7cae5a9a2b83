#include "config/suggest.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pgchronicle::config;

TEST_CASE("the edit distance counts changes, additions, drops and swaps", "[config]") {
    REQUIRE(edit_distance("", "") == 0);
    REQUIRE(edit_distance("slot", "slot") == 0);
    REQUIRE(edit_distance("", "slot") == 4);
    REQUIRE(edit_distance("slott", "slot") == 1);
    REQUIRE(edit_distance("slt", "slot") == 1);
    REQUIRE(edit_distance("slit", "slot") == 1);
    REQUIRE(edit_distance("solt", "slot") == 1);
    REQUIRE(edit_distance("ca", "abc") == 3);
    REQUIRE(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("a misspelling finds its word, a different word finds none", "[config]") {
    const std::vector<std::string> words{"slot", "publication", "create_slot", "max_rows"};
    REQUIRE(nearest("slott", words) == "slot");
    REQUIRE(nearest("publications", words) == "publication");
    REQUIRE(nearest("maxrows", words) == "max_rows");
    REQUIRE(nearest("createSlot", words) == "create_slot");
    REQUIRE_FALSE(nearest("host", std::vector<std::string>{"password"}).has_value());
    REQUIRE_FALSE(nearest("xyz", words).has_value());
    REQUIRE_FALSE(nearest("", words).has_value());
    REQUIRE_FALSE(nearest(std::string(100'000, 'x'), words).has_value());
}
