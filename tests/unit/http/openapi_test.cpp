#include "http/openapi.hpp"

#include "http/endpoints.hpp"
#include "http/metrics.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::http;

namespace {

reports::Report top_orders() {
    reports::Report report;
    report.name = "top";
    report.path = "/orders/top";
    report.description = "The \"largest\"";
    report.parameters = {
        {.name = "limit", .type = reports::ParameterType::integer, .default_value = "3", .min = 1},
        {.name = "status", .default_value = "open", .allowed = {"open", "all"}}};
    return report;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a report's endpoint is documented from its definition", "[http]") {
    const std::vector<reports::Report> reports{top_orders()};
    Router router;
    add_report_endpoints(router, reports);
    const auto json = openapi_json(router.routes());
    CHECK(holds(json, R"("/orders/top":{"get":{"operationId":"report_top")"));
    CHECK(holds(json, R"("summary":"The \"largest\"")"));
    CHECK(holds(
        json,
        R"({"name":"limit","in":"query","required":false,)"
        R"("schema":{"type":"integer","minimum":1,"default":3}})"
    ));
    CHECK(holds(json, R"("schema":{"type":"string","enum":["open","all"],"default":"open"}})"));
    CHECK(holds(json, R"({"name":"min_lsn")"));
}

TEST_CASE("a report with a path of ours is refused", "[http]") {
    auto report = top_orders();
    report.path = "/changes";
    const std::vector<reports::Report> reports{report};
    Router router;
    add_change_endpoints(router);
    CHECK_THROWS_AS(add_report_endpoints(router, reports), std::invalid_argument);
}

TEST_CASE("what was counted is told in Prometheus' form", "[http]") {
    Metrics metrics{"finance", true};
    metrics.batch_written({2, 5, 640, 1, std::chrono::milliseconds{20}, pgoutput::Lsn{7}});
    metrics.batch_written({1, 0, 0, 0, {}, pgoutput::Lsn{8}});
    metrics.reconnecting();
    Observation seen;
    seen.state = "streaming";
    seen.health = "green";
    seen.lag_bytes = 42;
    seen.wal_status = "extended";
    metrics.observed(seen);
    const auto text = metrics.text();
    for (const auto* line :
         {"pgchronicle_rows_total{pipeline=\"finance\"} 5\n",
          "pgchronicle_transactions_total{pipeline=\"finance\"} 3\n",
          "pgchronicle_toast_fills_total{pipeline=\"finance\"} 1\n",
          "pgchronicle_reconnects_total{pipeline=\"finance\"} 1\n",
          "pgchronicle_batch_seconds_count{pipeline=\"finance\"} 1\n",
          "pgchronicle_lag_bytes{pipeline=\"finance\"} 42\n",
          "pgchronicle_healthy{pipeline=\"finance\"} 1\n"}) {
        CAPTURE(line);
        CHECK(holds(text, line));
    }
    CHECK(holds(text, "wal_status=\"extended\"} 1\n"));
    CHECK(holds(text, "wal_status=\"lost\"} 0\n"));
    CHECK(metrics.rows() == 5);
    // Who replicates nothing says nothing of that.
    CHECK_FALSE(holds(Metrics("finance", false).text(), "pgchronicle_rows_total"));
}
