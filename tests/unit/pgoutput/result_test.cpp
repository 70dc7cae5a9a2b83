#include "pgoutput/result.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

using pgchronicle::pgoutput::Result;

TEST_CASE("a result is a value or an error", "[pgoutput]") {
    const Result<int, std::string> value{7};
    const Result<int, std::string> error{std::string{"no"}};
    CHECK(value.ok());
    CHECK(*value == 7);
    CHECK_FALSE(static_cast<bool>(error));
    CHECK(error.error() == "no");
}

TEST_CASE("a value that cannot be copied can be moved out of a result", "[pgoutput]") {
    Result<std::unique_ptr<int>, std::string> result{std::make_unique<int>(7)};
    const auto owned = std::move(result).value();
    CHECK(*owned == 7);
}

TEST_CASE("a value can be made in its place in a result", "[pgoutput]") {
    const Result<std::string, int> result{std::in_place, 3U, 'x'};
    CHECK(*result == "xxx");
}
