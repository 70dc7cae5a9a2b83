#include "pq/sqlstate.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace pgchronicle::pq;

TEST_CASE("errors that pass by themselves are retried, others halt", "[pq]") {
    const std::vector<std::pair<std::string, Disposition>> cases{
        {"40001", Disposition::retry},     {"40P01", Disposition::retry},
        {"57014", Disposition::retry},     {"55P03", Disposition::retry},
        {"53100", Disposition::retry},     {"53200", Disposition::retry},
        {"53300", Disposition::reconnect}, {"25P03", Disposition::reconnect},
        {"25006", Disposition::reconnect}, {"57P01", Disposition::reconnect},
        {"57P02", Disposition::reconnect}, {"57P03", Disposition::reconnect},
        {"08006", Disposition::reconnect}, {"08P01", Disposition::halt},
        {"55006", Disposition::reconnect}, {"28P01", Disposition::halt},
        {"28000", Disposition::halt},      {"42501", Disposition::halt},
        {"3D000", Disposition::halt},      {"42P01", Disposition::halt},
        {"42703", Disposition::halt},      {"42704", Disposition::halt},
        {"23505", Disposition::halt},      {"22P02", Disposition::halt},
        {"55000", Disposition::halt},      {"57P04", Disposition::halt},
        {"58P01", Disposition::halt},      {"25P02", Disposition::halt},
        {"XX000", Disposition::halt},      {"0A000", Disposition::halt},
        {"P0001", Disposition::halt},
    };
    for (const auto& [sqlstate, expected] : cases) {
        CAPTURE(sqlstate);
        CHECK(disposition_of(sqlstate, false) == expected);
    }
}

TEST_CASE("a lost connection is opened again before anything is retried", "[pq]") {
    CHECK(disposition_of("53100", true) == Disposition::reconnect);
    CHECK(disposition_of("08P01", true) == Disposition::reconnect);
    CHECK(disposition_of("", true) == Disposition::reconnect);
    CHECK(disposition_of("28P01", true) == Disposition::halt);
    CHECK(disposition_of("", false) == Disposition::halt);
}

TEST_CASE("an Error answers for its SQLSTATE", "[pq]") {
    const Error error{
        {.sqlstate = "40P01",
         .primary = "deadlock detected",
         .detail = "D",
         .hint = "H",
         .context = "C"}};
    CHECK(error.disposition() == Disposition::retry);
    CHECK(std::string{error.what()} == "deadlock detected");
    CHECK(error.detail() == "D");
    CHECK(error.hint() == "H");
    CHECK(error.context() == "C");
    CHECK_FALSE(error.connection_lost());
}
