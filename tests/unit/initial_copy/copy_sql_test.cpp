#include "initial_copy/copy_sql.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::initial_copy;

HistoryTable orders() {
    HistoryTable table;
    table.relation = pgoutput::RelationId{16400};
    table.target_schema = "analytics";
    table.target_table = "orders_history";
    table.columns = {{"id", "id", "integer"}, {"note", "note", "text"}};
    table.key = {0};
    return table;
}

}  // namespace

TEST_CASE("a staging table is named after relation and pipeline", "[initial_copy]") {
    REQUIRE(staging_name(orders(), "finance") == R"("pgchronicle"."copy_16400_finance")");
    REQUIRE(staging_name(orders(), "a\"b") == R"("pgchronicle"."copy_16400_a""b")");
    auto other = orders();
    other.relation = pgoutput::RelationId{16401};
    REQUIRE(staging_name(other, "finance") != staging_name(orders(), "finance"));
}

TEST_CASE("pipelines whose names differ late have different staging tables", "[initial_copy]") {
    const std::string prefix(80, 'p');
    const auto one = staging_name(orders(), prefix + "1");
    constexpr std::size_t name_bytes_max = 63;
    const auto quoted = one.substr(one.find('.') + 1);
    REQUIRE(quoted.size() <= name_bytes_max + 2);
    REQUIRE(one != staging_name(orders(), prefix + "2"));
}
