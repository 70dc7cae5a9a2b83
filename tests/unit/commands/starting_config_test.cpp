#include "commands/starting_config.hpp"

#include "config/load.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::commands;

namespace {

Discovery found() {
    Discovery discovery;
    discovery.source_dsn = "host=db user=cdc dbname='a $b \"c\"'";
    discovery.database = "finance db";
    discovery.slots = {"cdc_pgoutput", "other"};
    discovery.publications = {"Pub \"1\": #"};
    discovery.schemas = {"operations", "Odd: s"};
    discovery.extension_schemas = {"cron"};
    return discovery;
}

}  // namespace

TEST_CASE("the starting configuration loads and holds what was found", "[commands]") {
    const Discovery discovery = found();
    const config::Environment environment = [](const std::string&) { return "secret"; };
    const auto settings = config::parse(starting_config(discovery), "x.yaml", environment);
    CHECK(settings.source.connection.dsn == discovery.source_dsn);
    CHECK(settings.source.slot == "cdc_pgoutput");
    CHECK(settings.source.publications == std::vector<std::string>{"Pub \"1\": #"});
    CHECK(settings.tables.include == std::vector<std::string>{"operations.*", "Odd: s.*"});
    CHECK(settings.tables.exclude == std::vector<std::string>{"cron.*"});
    CHECK(settings.pipeline == "finance_db");
}

TEST_CASE("what the source lacks is proposed, publication first", "[commands]") {
    CHECK(proposed_sql(found()).empty());
    CHECK(
        proposed_sql({}) ==
        "CREATE PUBLICATION \"pgchronicle_publication\" FOR ALL TABLES;\n"
        "SELECT pg_create_logical_replication_slot('pgchronicle', 'pgoutput');\n"
    );
}

TEST_CASE("scalars are quoted where YAML would read something else", "[commands]") {
    CHECK(yaml_scalar("cdc_pgoutput") == "cdc_pgoutput");
    CHECK(yaml_scalar("yes") == "\"yes\"");
    CHECK(yaml_scalar("") == "\"\"");
    CHECK(yaml_scalar("1e3") == "\"1e3\"");
    CHECK(yaml_scalar("a$b") == "\"a$$b\"");
    CHECK(yaml_scalar("a\"\\\n") == "\"a\\\"\\\\\\u000a\"");
    // YAML takes the first for no character, the second for the end of a line.
    CHECK(yaml_scalar("a\u009bb\u2028c\u00fc") == "\"a\\u009bb\\u2028c\u00fc\"");
}
