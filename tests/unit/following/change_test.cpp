#include "following/change.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::following;
using pgchronicle::pgoutput::Lsn;

namespace {

// OIDs of built-in types. Source: pg_type.dat.
constexpr std::uint32_t int8 = 20;
constexpr std::uint32_t text = 25;

Change change_of(std::vector<std::size_t> key, std::vector<pgchronicle::reading::Value> values) {
    ChangedTable table{"shop.\"x", {{"id", "", int8}, {"name", "", text}}, std::move(key)};
    return {
        std::make_shared<const ChangedTable>(std::move(table)),
        "UPDATE",
        {Lsn{0x1A2B}, 3, Position::all},
        "2026-11-21 11:55:29.5+00",
        std::move(values)};
}

}  // namespace

TEST_CASE("a change is one line of JSON", "[following]") {
    std::string line;
    append_json(line, change_of({0}, {"7", "a \"b\"\nc"}));
    REQUIRE(
        line == R"({"table":"shop.\"x","op":"UPDATE","lsn":"0/1A2B","seq":3,"position":"0/1A2B/3",)"
                R"("valid_from":"2026-11-21 11:55:29.5+00","key":{"id":7},)"
                R"("values":{"id":7,"name":"a \"b\"\nc"}})"
    );
}

TEST_CASE("a row without a key has an empty one", "[following]") {
    std::string line;
    append_json(line, change_of({}, {"7", std::nullopt}));
    REQUIRE(line.ends_with(R"("key":{},"values":{"id":7,"name":null}})"));
}

TEST_CASE("equal keys that read differently have one identity", "[following]") {
    constexpr std::uint32_t numeric = 1700;
    const auto of = [](const char* key) {
        ChangedTable table{"t", {{"k", "", numeric}}, {0}};
        return Change{
            std::make_shared<const ChangedTable>(std::move(table)), "UPDATE", {}, "", {key}}
            .row_identity();
    };
    REQUIRE(of("1.0") == of("1.00"));
}

TEST_CASE("versions of one row have one identity", "[following]") {
    REQUIRE(change_of({0}, {"7", "a"}).row_identity() == change_of({0}, {"7", "b"}).row_identity());
    REQUIRE(change_of({0}, {"7", "a"}).row_identity() != change_of({0}, {"8", "a"}).row_identity());
    REQUIRE(change_of({}, {"7", "a"}).row_identity() != change_of({}, {"7", "b"}).row_identity());
    REQUIRE(
        change_of({0, 1}, {"1", "2 1 3"}).row_identity() !=
        change_of({0, 1}, {"1 5 2", "3"}).row_identity()
    );
}
