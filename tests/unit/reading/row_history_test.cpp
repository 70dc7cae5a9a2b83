#include "reading/row_history.hpp"

#include "reading/as_of.hpp"
#include "reading/output.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using pgoutput::Lsn;

namespace {

reading::HistoryTable orders() {
    reading::HistoryTable table;
    table.source_schema = "operations";
    table.source_table = "orders";
    table.target_schema = "analytics";
    table.target_table = "orders_history";
    table.columns = {{"order_id", "bigint", 20}, {"status", "text", 25}};
    table.row_key = {"order_id"};
    table.names.valid_from = "seen_from";
    return table;
}

reading::RowHistory two_versions() {
    return {
        .key = {"7"},
        .versions = {
            {.valid_from = "2026-11-21 10:00:00+00",
             .valid_to = "2026-11-21 11:00:00+00",
             .is_current = false,
             .operation_type = "INSERT",
             .lsn_from = Lsn{0x100},
             .lsn_to = Lsn{0x200},
             .change_seq = 1,
             .changed = {},
             .values = {"7", "PENDING"}},
            {.valid_from = "2026-11-21 11:00:00+00",
             .valid_to = std::nullopt,
             .is_current = true,
             .operation_type = "UPDATE",
             .lsn_from = Lsn{0x200},
             .lsn_to = std::nullopt,
             .change_seq = 4,
             .changed = {"status"},
             .values = {"7", std::nullopt}},
        }};
}

std::string as_json(const reading::RowHistory& row) {
    auto out = reading::json_head(orders(), row.key, Lsn{0x300});
    for (const auto& version : row.versions) {
        if (out.back() != '[') out += ',';
        reading::append_json(out, orders(), version);
    }
    return out + "]}";
}

reading::Rows as_rows(const reading::RowHistory& row) {
    reading::Rows rows{.columns = reading::version_columns(orders()), .rows = {}};
    for (const auto& version : row.versions) rows.rows.push_back(reading::to_row(version));
    return rows;
}

}  // namespace

TEST_CASE("a row's history as JSON has the same member names for every table", "[reading]") {
    CHECK(
        as_json(two_versions()) ==
        R"({"table":"operations.orders","key":{"order_id":7},"position":"0/300","versions":[)"
        R"({"valid_from":"2026-11-21 10:00:00+00","valid_to":"2026-11-21 11:00:00+00",)"
        R"("is_current":false,"operation_type":"INSERT","lsn_from":"0/100","lsn_to":"0/200",)"
        R"("change_seq":1,"changed":[],"values":{"order_id":7,"status":"PENDING"}},)"
        R"({"valid_from":"2026-11-21 11:00:00+00","valid_to":null,)"
        R"("is_current":true,"operation_type":"UPDATE","lsn_from":"0/200","lsn_to":null,)"
        R"("change_seq":4,"changed":["status"],"values":{"order_id":7,"status":null}}]})"
    );
}

TEST_CASE("a row's history as CSV has the columns of the history", "[reading]") {
    CHECK(
        reading::to_csv(as_rows(two_versions())) ==
        "seen_from,valid_to,is_current,operation_type,lsn_from,lsn_to,change_seq,order_id,"
        "status\r\n"
        "2026-11-21 10:00:00+00,2026-11-21 11:00:00+00,f,INSERT,0/100,0/200,1,7,PENDING\r\n"
        "2026-11-21 11:00:00+00,,t,UPDATE,0/200,,4,7,\r\n"
    );
}

TEST_CASE("a version is visible from its LSN on, up to its end", "[reading]") {
    CHECK(
        reading::visible_sql(orders(), {.lsn = Lsn{1}, .at = std::nullopt}, "h.") ==
        R"(h."lsn_from" <= $1::pg_lsn AND (h."lsn_to" > $1::pg_lsn OR h."lsn_to" IS NULL))"
    );
    CHECK(
        reading::visible_sql(orders(), {.lsn = std::nullopt, .at = "2026-11-21"}, "") ==
        R"("seen_from" <= $1::timestamptz)"
        R"( AND ("valid_to" > $1::timestamptz OR "valid_to" IS NULL))"
    );
    const reading::Moment of_import{.lsn = Lsn{1}, .at = {}, .import_time = "2026-11-21"};
    CHECK(
        reading::visible_sql(orders(), of_import, "") ==
        R"("seen_from" <= $1::timestamptz)"
        R"( AND ("valid_to" > $1::timestamptz OR "valid_to" IS NULL))"
    );
}
