#include "history_writer/table_failure.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using config::OnError;
using history_writer::on_error;
using history_writer::TableFailure;

}  // namespace

TEST_CASE("an error of a table stops, unless it or all tables say otherwise", "[history_writer]") {
    config::Settings settings;
    REQUIRE(on_error("public", "orders", settings) == OnError::stop);
    settings.tables.on_error = OnError::quarantine;
    REQUIRE(on_error("public", "orders", settings) == OnError::quarantine);
    settings.tables.overrides["public.orders"].target_table = "elsewhere";
    REQUIRE(on_error("public", "orders", settings) == OnError::quarantine);
    settings.tables.overrides["public.orders"].on_error = OnError::stop;
    REQUIRE(on_error("public", "orders", settings) == OnError::stop);
    REQUIRE(on_error("other", "orders", settings) == OnError::quarantine);
    settings.tables.on_error = OnError::stop;
    settings.tables.overrides["public.orders"].on_error = OnError::quarantine;
    REQUIRE(on_error("public", "orders", settings) == OnError::quarantine);
    REQUIRE(on_error("public", "items", settings) == OnError::stop);
}

TEST_CASE("a failure names its table as source and history know it", "[history_writer]") {
    history_writer::HistoryTable table;
    table.relation = pgoutput::RelationId{7};
    table.source_schema = "public";
    table.source_table = "orders";
    table.target_schema = "analytics";
    const TableFailure failure{table, "what", "detail", "hint"};
    CHECK(failure.name() == "public.orders");
    CHECK(failure.table().relation == pgoutput::RelationId{7});
    CHECK(failure.table().target_schema == "analytics");
    CHECK(failure.what() == std::string{"what"});
    CHECK(failure.detail() == "detail");
    CHECK(failure.hint() == "hint");
}
