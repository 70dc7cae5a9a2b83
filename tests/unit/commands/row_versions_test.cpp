#include "commands/row_versions.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace pgchronicle::commands;

namespace {

RowVersion version(
    const std::string& from,
    const std::string& to,
    const std::string& operation,
    std::vector<std::optional<std::string>> values
) {
    return {from, to, operation, "0/" + from, "1", std::move(values)};
}

std::string printed(const RowVersions& row) {
    std::ostringstream out;
    print_versions(row, out);
    return out.str();
}

}  // namespace

TEST_CASE("what changed against the version before is marked", "[commands]") {
    const RowVersions row{
        "s.t, id = 1",
        {"id", "status", "note"},
        {version("10", "20", "INSERT", {"1", "PENDING", "same"}),
         version("20", "30", "UPDATE", {"1", std::nullopt, "same"}),
         version("30", "", "UPDATE", {"1", "NULL", "same"})}};
    CHECK(
        printed(row) ==
        "s.t, id = 1: 3 versions\n"
        "\n"
        "valid_from  valid_to   operation  lsn_from  seq  status\n"
        "10          20         INSERT     0/10      1     PENDING\n"
        "20          30         UPDATE     0/20      1    *NULL\n"
        "30          (current)  UPDATE     0/30      1    *'NULL'\n"
        "\n"
        "the same in every version:\n"
        "    id   = 1\n"
        "    note = same\n"
    );
}

TEST_CASE("a single version lists its values below", "[commands]") {
    const RowVersions row{
        "s.t, id = 1", {"id", "text"}, {version("10", "", "SNAPSHOT", {"1", ""})}};
    CHECK(
        printed(row) ==
        "s.t, id = 1: 1 version\n"
        "\n"
        "valid_from  valid_to   operation  lsn_from  seq\n"
        "10          (current)  SNAPSHOT   0/10      1\n"
        "\n"
        "    id   = 1\n"
        "    text = ''\n"
    );
}

TEST_CASE("a value cannot forge lines or terminal commands", "[commands]") {
    const RowVersions row{
        "s.t", {"v"}, {version("10", "", "INSERT", {"a\nb\x1b[2J\t" + std::string(100, 'x')})}};
    const std::string text = printed(row);
    CHECK(text.find("a\\nb\\x1b[2J\\t") != std::string::npos);
    CHECK(text.find(std::string(41, 'x')) == std::string::npos);
}
