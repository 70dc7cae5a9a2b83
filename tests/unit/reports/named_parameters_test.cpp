#include "reports/named_parameters.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pgchronicle::reports;

namespace {

const std::vector<Placeholder> placeholders{{"a", "text"}, {"limit", "bigint"}};

std::string numbered(const std::string& sql) {
    const auto result = number_parameters(sql, placeholders, 1);
    REQUIRE(result.faults.empty());
    return result.sql;
}

std::vector<Fault> faults_of(const std::string& sql) {
    auto faults = number_parameters(sql, placeholders, 10).faults;
    for (Fault& fault : faults) fault.hint.clear();
    return faults;
}

}  // namespace

TEST_CASE("a name becomes its placeholder's number and type", "[reports]") {
    CHECK(numbered("SELECT :a") == "SELECT $1::text");
    CHECK(numbered("SELECT :a,:a LIMIT :limit") == "SELECT $1::text,$1::text LIMIT $2::bigint");
    CHECK(numbered("SELECT (:a)") == "SELECT ($1::text)");
    CHECK(
        numbered("SELECT :a::date, x::text, :limit::int") ==
        "SELECT $1::text::date, x::text, $2::bigint::int"
    );
    const auto one = number_parameters("SELECT :limit", placeholders, 1);
    CHECK(one.used == std::vector<bool>{false, true});
}

TEST_CASE("what is quoted or a comment stays as it is", "[reports]") {
    for (const char* sql : {
             "SELECT ':a'",
             "SELECT 'it''s :a'",
             R"(SELECT E'it\'s :a')",
             R"(SELECT e'\\' , E'a'':a')",
             R"(SELECT ":a", "x"":a")",
             "SELECT $$ :a $$",
             "SELECT $q$ $$ :a $q$",
             "SELECT $été$ :a $été$",
             "SELECT 1 -- :a ' \"\n, 2",
             "SELECT /* :a /* :a */ ' :a */ 1",
             "SELECT x::a, x :: a",
             "SELECT a$1, a.b$limit",
             "SELECT 'a' ':a'",
             "SELECT U&'\\0041:a'",
         }) {
        CHECK(numbered(sql) == sql);
    }
}

TEST_CASE("a string that ends in a backslash ends there", "[reports]") {
    CHECK(numbered(R"(SELECT 'a\', :a)") == R"(SELECT 'a\', $1::text)");
    CHECK(numbered(R"(SELECT E'a\\', :a)") == R"(SELECT E'a\\', $1::text)");
    // The word ends in e, and is no escape.
    CHECK(numbered(R"(SELECT date'a\', :a)") == R"(SELECT date'a\', $1::text)");
}

TEST_CASE("the semicolon at the end is dropped, and nothing may follow", "[reports]") {
    CHECK(numbered("SELECT ';' ; -- done\n") == "SELECT ';'  -- done\n");
    CHECK(
        faults_of("SELECT 1;\nSELECT 2") ==
        std::vector<Fault>{{11, "the report has more than one statement"}}
    );
}

TEST_CASE("a report reads", "[reports]") {
    for (const char* sql :
         {"select 1",
          "/* x */ WITH a AS (SELECT 1) TABLE a",
          "(SELECT 1)",
          "VALUES (1)",
          "TABLE a"}) {
        CHECK(numbered(sql) == sql);
    }
    for (const char* sql : {"COPY t TO STDOUT", "selected", "BEGIN", "1"}) {
        CHECK(faults_of(sql) == std::vector<Fault>{{10, "the report does not begin with SELECT"}});
    }
}

TEST_CASE("faults have the line in which they are", "[reports]") {
    CHECK(
        faults_of("SELECT\n  :b,\n  $2") ==
        std::vector<Fault>{
            {11, "parameter \"b\" is not declared"}, {12, "a parameter has a number"}}
    );
    CHECK(
        faults_of("SELECT\n 'a\nb") ==
        std::vector<Fault>{{11, "a string begins here and has no end"}}
    );
    CHECK(
        faults_of("SELECT\n \"a\nb") ==
        std::vector<Fault>{{11, "a name begins here and has no end"}}
    );
    CHECK(
        faults_of("SELECT /* a\n/* b */") ==
        std::vector<Fault>{{10, "a comment begins here and has no end"}}
    );
    CHECK(
        faults_of("SELECT $a$ b $") ==
        std::vector<Fault>{{10, "a dollar-quoted string begins here and has no end"}}
    );
}

TEST_CASE("any prefix of a statement gives SQL or faults", "[reports]") {
    const std::string sql{"SELECT E'\\'' || $t$ x $t$, \"q\"\"\", /* c */ :a::text -- e\n;"};
    for (std::size_t length = 0; length <= sql.size(); ++length) {
        const auto result = number_parameters(sql.substr(0, length), placeholders, 1);
        CHECK((!result.faults.empty() || !result.sql.empty()));
    }
}

TEST_CASE("a name beside a word is refused: they would become one", "[reports]") {
    for (const char* sql :
         {"SELECT x:a", "SELECT 1:a", "SELECT $:a", "SELECT :a$", "SELECT x[y:a]"}) {
        CAPTURE(sql);
        CHECK(faults_of(sql) == std::vector<Fault>{{10, "parameter \"a\" has no blank beside it"}});
    }
}

TEST_CASE("many strings side by side are one string", "[reports]") {
    std::string sql = "SELECT E'";
    for (int i = 0; i < 500'000; ++i) sql += "''";
    CHECK(numbered(sql + "'") == sql + "'");
}
