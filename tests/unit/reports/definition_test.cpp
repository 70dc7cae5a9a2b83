#include "config/error.hpp"
#include "reports/load_reports.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pgchronicle;
using reports::Parameter;
using reports::ParameterType;
using reports::parse_report;

namespace {

/// What is wrong with a definition, a line each: 3: message.
std::vector<std::string> faults_of(const std::string& text) {
    try {
        static_cast<void>(parse_report("r.sql", text));
    } catch (const config::ConfigError& error) {
        std::vector<std::string> faults;
        for (const auto& problem : error.problems()) {
            CHECK(problem.file == "r.sql");
            faults.push_back(std::to_string(problem.line) + ": " + problem.message);
        }
        return faults;
    }
    return {};
}

using Faults = std::vector<std::string>;

}  // namespace

TEST_CASE("a definition is read as a whole", "[reports]") {
    const auto report = parse_report(
        "dir/orders.sql",
        "-- Copyright: nobody\n"
        "-- name: top_orders\n"
        "-- path: /orders/top-of/2\n"
        "-- description: The orders that count,\n"
        "-- description: the largest first.\n"
        "--\n"
        "-- param: status text = open one of open, 'in work', all -- which ones -- or all\n"
        "-- param: limit integer = 3 min 1 max 100 -- how many\n"
        "-- param: since date\n"
        "\n"
        "SELECT * FROM o WHERE s = :status AND d >= :since\n"
        "LIMIT :limit;\n"
    );
    CHECK(
        report ==
        reports::Report{
            .name = "top_orders",
            .path = "/orders/top-of/2",
            .description = "The orders that count, the largest first.",
            .parameters =
                {{.name = "status",
                  .type = ParameterType::text,
                  .default_value = "open",
                  .allowed = {"open", "in work", "all"},
                  .description = "which ones -- or all"},
                 {.name = "limit",
                  .type = ParameterType::integer,
                  .default_value = "3",
                  .min = 1,
                  .max = 100,
                  .description = "how many"},
                 {.name = "since", .type = ParameterType::date}},
            .sql = "SELECT * FROM o WHERE s = $1::text AND d >= $3::date\nLIMIT $2::bigint\n",
            .file = "dir/orders.sql"}
    );
}

TEST_CASE("without a name a report is called as its file, and has no path", "[reports]") {
    const auto report = parse_report("sql/open_orders.sql", "SELECT 1");
    CHECK(report.name == "open_orders");
    CHECK(report.path.empty());
    CHECK(report.parameters.empty());
}

TEST_CASE("a default may be quoted, empty, or look like a keyword", "[reports]") {
    const auto report = parse_report(
        "r.sql",
        "-- param: a text = '' -- it's empty\n"
        "-- param: b text = 'it''s, = min'\n"
        "-- param: c text = min\n"
        "SELECT :a, :b, :c"
    );
    REQUIRE(report.parameters.size() == 3);
    CHECK(report.parameters[0].default_value == "");
    CHECK(report.parameters[0].description == "it's empty");
    CHECK(report.parameters[1].default_value == "it's, = min");
    CHECK(report.parameters[2].default_value == "min");
}

TEST_CASE("each fault of a definition has its line", "[reports]") {
    CHECK(
        faults_of("-- nam: x\n-- path: orders\n-- name: Top\nSELECT 1") ==
        Faults{
            "1: unknown word \"nam\" in the definition",
            "2: path is not valid",
            "3: name is not valid"}
    );
    CHECK(
        faults_of("-- path: /tables/x\nSELECT 1") == Faults{"1: path /tables is the server's own"}
    );
    CHECK(faults_of("-- param: limit\nSELECT 1") == Faults{"1: param without a name and a type"});
    CHECK(
        faults_of("-- param: limit int\nSELECT :limit") ==
        Faults{"1: unknown type \"int\"", "2: parameter \"limit\" is not declared"}
    );
    CHECK(
        faults_of("-- param: export text\nSELECT 1") ==
        Faults{"1: a parameter may not be called \"export\""}
    );
    CHECK(
        faults_of("-- param: a text\n-- param: a text\nSELECT :a") ==
        Faults{"2: parameter \"a\" is given twice"}
    );
}

TEST_CASE("a parameter that contradicts itself is a fault", "[reports]") {
    const auto fault = [](const std::string& words) {
        const auto all = faults_of("-- param: p " + words + "\nSELECT :p");
        return all.size() == 1 ? all.front() : std::to_string(all.size()) + " faults";
    };
    CHECK(fault("integer = x") == "1: parameter \"p\": default \"x\" is not an integer");
    CHECK(fault("integer = 0 min 1") == "1: parameter \"p\": default \"0\" is out of range");
    CHECK(fault("integer min 2 max 1") == "1: parameter \"p\": min is greater than max");
    CHECK(fault("text min 2") == "1: parameter \"p\": min is for integer and number only");
    CHECK(fault("integer min x") == "1: parameter \"p\": no integer after min");
    CHECK(fault("text = c one of a, b") == "1: parameter \"p\": default \"c\" is not allowed");
    CHECK(
        fault("date one of today") == "1: parameter \"p\": allowed value \"today\" is not a date"
    );
    CHECK(fault("text =") == "1: parameter \"p\": no value after =");
    CHECK(fault("text one a") == "1: parameter \"p\": no \"of\" after \"one\"");
    CHECK(
        fault("text one of a,") ==
        "1: parameter \"p\": a value is missing after \"one of\", or after a comma"
    );
    CHECK(fault("text default a") == "1: parameter \"p\": \"default\" is not understood here");
    CHECK(faults_of("-- param: p text = 'a\nSELECT 1") == Faults{"1: a quote has no end"});
}

TEST_CASE("the SQL uses exactly the parameters that are declared", "[reports]") {
    CHECK(
        faults_of("-- param: a text\n-- param: b text\n\nSELECT :a,\n  :c") ==
        Faults{"5: parameter \"c\" is not declared", "2: parameter \"b\" is not used"}
    );
    CHECK(faults_of("SELECT $1") == Faults{"1: a parameter has a number"});
    CHECK(faults_of("-- name: a\n") == Faults{"2: the report has no statement"});
    CHECK(faults_of("-- name: a\n--") == Faults{"2: the report has no statement"});
    CHECK(faults_of("") == Faults{"1: the report has no statement"});
    CHECK(faults_of("SELECT 1; SELECT 2") == Faults{"1: the report has more than one statement"});
    CHECK(faults_of("DELETE FROM t") == Faults{"1: the report does not begin with SELECT"});
}

TEST_CASE("a definition is lines of text", "[reports]") {
    const Faults control{"1: a control character in the definition"};
    CHECK(faults_of("-- description: a\rb\nSELECT 1") == control);
    CHECK(faults_of("-- param: a text = 'b\x1B'\nSELECT 1") == control);
    CHECK(faults_of("-- description:\ta\r\nSELECT 1").empty());
    const Faults wrong{"2: the file is not UTF-8, or holds NUL"};
    CHECK(faults_of("-- name: a\nSELECT '\xFF'") == wrong);
    CHECK(faults_of(std::string{"-- name: a\nSELECT '\0'", 21}) == wrong);
}
