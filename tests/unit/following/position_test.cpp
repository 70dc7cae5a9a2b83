#include "following/position.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::following;
using pgchronicle::pgoutput::Lsn;

TEST_CASE("a position is read back from its text", "[following]") {
    const auto text = GENERATE(
        as<std::string>{}, "beginning", "16/B374D848", "16/B374D848/12", "16/B374D848/12+3", "0/1/0"
    );
    REQUIRE(to_string(parse_position(text).value()) == text);
}

TEST_CASE("an LSN alone is behind all that is visible there", "[following]") {
    REQUIRE(parse_position("0/10") == Position{Lsn{16}, Position::seq_max, Position::all});
    REQUIRE(parse_position("0/10/7") == Position{Lsn{16}, 7, Position::all});
    REQUIRE(parse_position("0/10/7+2") == Position{Lsn{16}, 7, 2});
}

TEST_CASE("what is no position is refused", "[following]") {
    const auto text = GENERATE(
        as<std::string>{},
        "",
        "0",
        "12",
        "0/",
        "0/10/",
        "0/10/-1",
        "0/10/7+",
        "0/10/7+x",
        "0/10/7/1",
        " 0/10",
        "0/10/9223372036854775808",
        "0/10/1+18446744073709551615",
        "Beginning",
        "now"
    );
    REQUIRE_FALSE(parse_position(text));
}

TEST_CASE("positions are ordered as changes are", "[following]") {
    const std::vector<Position> ordered{
        Position::beginning(),
        {Lsn{16}, 0, 5},
        {Lsn{16}, 0, Position::all},
        {Lsn{16}, 7, 1},
        {Lsn{16}, 7, 2},
        {Lsn{16}, 7, Position::all},
        Position::after(Lsn{16}),
        {Lsn{17}, 0, Position::all}};
    REQUIRE(std::is_sorted(ordered.begin(), ordered.end()));
}
