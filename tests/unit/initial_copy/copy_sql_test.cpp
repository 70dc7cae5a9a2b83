#include "initial_copy/copy_sql.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::initial_copy;
using Catch::Contains;

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

TEST_CASE("what the copy knows is for versions behind the key's last tombstone", "[initial_copy]") {
    auto table = orders();
    table.names.lsn_from = "begins";
    const auto behind = Contains("(p.lsn_from, p.change_seq) > (r.ended_lsn, r.ended_seq)");
    REQUIRE_THAT(find_resolvable_sql(table, "finance"), Contains("e.\"begins\", '0/0')"));
    REQUIRE_THAT(
        find_resolvable_sql(table, "finance"),
        Contains("'REKEY') OR v.\"operation_type\" IN ('RECONCILE', 'REWRITE') AND v.\"lsn_to\" = "
                 "v.\"begins\")")
    );
    REQUIRE_THAT(fill_pending_sql(table, "staging", 1), behind);
    REQUIRE_THAT(settle_pending_sql(table), behind);
}
