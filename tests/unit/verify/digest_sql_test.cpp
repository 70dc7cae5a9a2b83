#include "verify/digest_sql.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::verify;
using Catch::Contains;

Side orders() {
    Side side;
    side.from = R"("shop"."orders")";
    side.key = {R"(t."id")"};
    side.columns = {R"(t."id")", R"(t."note")"};
    return side;
}

}  // namespace

TEST_CASE("rows are spread by their key and digested whole", "[verify]") {
    const auto sql = buckets_sql(orders(), 64);
    REQUIRE_THAT(sql, Contains(R"((ROW(t."id")::text COLLATE pg_catalog."C", 0) & 63))"));
    REQUIRE_THAT(sql, Contains(R"(sum(pg_catalog.hashtextextended(ROW(t."id", t."note")::text)"));
}

TEST_CASE("without a key the whole row says where it belongs", "[verify]") {
    auto side = orders();
    side.key.clear();
    REQUIRE_THAT(
        buckets_sql(side, 64),
        Contains(R"((ROW(t."id", t."note")::text COLLATE pg_catalog."C", 0) & 63))")
    );
    REQUIRE_THAT(rows_sql(side, 64, {}), Contains("pg_catalog.left(ROW("));
}

TEST_CASE("the portable form hashes bytes of UTF-8", "[verify]") {
    auto side = orders();
    side.form = DigestForm::portable;
    const auto sql = buckets_sql(side, 64);
    REQUIRE_THAT(sql, Contains(R"(convert_to(ROW(t."id")::text, 'UTF8'))"));
    REQUIRE_THAT(sql, !Contains("hashtextextended"));
}

TEST_CASE("keys that were seen before are told with a count of the valid rows", "[verify]") {
    auto side = orders();
    side.where = "now";
    side.ever = "then";
    const auto sql = rows_sql(side, 64, {});
    REQUIRE_THAT(sql, Contains("count(*) FILTER (WHERE r.valid), sum(r.digest) FILTER"));
    REQUIRE_THAT(sql, Contains("(now) AS valid") && Contains(" t WHERE (then)) r"));
    REQUIRE_THAT(buckets_sql(side, 64), Contains(" WHERE (now) GROUP BY 1"));
}

TEST_CASE("what is shown of a key has an end", "[verify]") {
    REQUIRE_THAT(
        rows_sql(orders(), 64, {}), Contains(R"(pg_catalog.left((t."id")::text, 500) COLLATE)")
    );
}

TEST_CASE("a sample and a condition are both asked for", "[verify]") {
    auto side = orders();
    side.where = "a OR b";
    side.sample = Sample{7, 100};
    for (const auto& sql : {buckets_sql(side, 64), rows_sql(side, 64, {}), columns_sql(side, {})}) {
        REQUIRE_THAT(sql, Contains(" WHERE (a OR b) AND ((("));
        REQUIRE_THAT(sql, Contains(">> 24) # 7) & 1048575) < 100"));
    }
}

TEST_CASE("columns of chosen rows are asked for with or without another condition", "[verify]") {
    const std::int64_t hash = -5;
    auto side = orders();
    REQUIRE_THAT(columns_sql(side, {&hash, 1}), Contains(" t WHERE pg_catalog.hashtext"));
    side.where = "x";
    REQUIRE_THAT(columns_sql(side, {&hash, 1}), Contains(" t WHERE (x) AND pg_catalog.hashtext"));
    REQUIRE_THAT(columns_sql(side, {&hash, 1}), Contains("= ANY ('{-5}'::bigint[])"));
}

TEST_CASE("only buckets that differ are read again", "[verify]") {
    const std::uint32_t wanted[] = {3, 61};
    REQUIRE_THAT(
        rows_sql(orders(), 64, wanted), Contains("(r.hash & 63) = ANY ('{3,61}'::bigint[])")
    );
}
