#include "reading/error.hpp"
#include "reports/check_value.hpp"
#include "reports/run_report.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using reports::bind;
using reports::Parameter;
using reports::ParameterType;
using reports::Report;

namespace {

Report report_of(std::vector<Parameter> parameters) {
    Report report;
    report.name = "r";
    report.parameters = std::move(parameters);
    return report;
}

bool takes(const Parameter& parameter, std::string_view value) {
    return !reports::fault_of(parameter, value).has_value();
}

std::string refusal(const Report& report, const std::map<std::string, std::string>& values) {
    try {
        static_cast<void>(bind(report, values));
    } catch (const reading::Error& error) {
        CHECK(error.kind == reading::ErrorKind::bad_request);
        return error.primary + " | " + error.detail;
    }
    return "none";
}

const Parameter limit{
    .name = "limit",
    .type = ParameterType::integer,
    .default_value = "3",
    .min = 1,
    .max = 100};
const Parameter status{.name = "status", .allowed = {"open", "all"}};

}  // namespace

TEST_CASE("values are bound in the order of the parameters, defaults for the others", "[reports]") {
    const auto report = report_of({limit, status});
    CHECK(bind(report, {{"status", "all"}}) == reports::Bound{"3", "all"});
    CHECK(bind(report, {{"status", "open"}, {"limit", "7"}}) == reports::Bound{"7", "open"});
}

TEST_CASE("what does not fit is refused with what would", "[reports]") {
    const auto report = report_of({limit, status});
    CHECK(refusal(report, {}) == "parameter \"status\" has to be given | It is one of open, all.");
    CHECK(
        refusal(report, {{"status", "all"}, {"limit", "0"}}) ==
        "value \"0\" of parameter \"limit\" is out of range | It is an integer from 1 to 100."
    );
    CHECK(
        refusal(report, {{"status", "x' or 1=1"}}) ==
        "value \"x' or 1=1\" of parameter \"status\" is not allowed | It is one of open, all."
    );
    CHECK(
        refusal(report, {{"status", "all"}, {"x", "1"}}) ==
        "report \"r\" has no parameter \"x\" | It has: limit, status."
    );
    CHECK(
        refusal(report_of({}), {{"x", "1"}}) ==
        "report \"r\" has no parameter \"x\" | It has none at all."
    );
}

TEST_CASE("an integer has no blanks, signs, fractions or bytes beyond it", "[reports]") {
    const Parameter any{.name = "n", .type = ParameterType::integer};
    for (const char* good : {"0", "-5", "9223372036854775807", "007"}) CHECK(takes(any, good));
    for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "1e3", "0x1", "--1", "1;"}) {
        CHECK_FALSE(takes(any, bad));
    }
    CHECK(reports::fault_of(any, "9223372036854775808") == "is out of range");
    CHECK_FALSE(takes(any, std::string_view{"1\0", 2}));
}

TEST_CASE("numbers, booleans, dates and times", "[reports]") {
    const Parameter number{.name = "n", .type = ParameterType::number, .min = 0};
    for (const char* good : {"0", "12.50", "0.1"}) CHECK(takes(number, good));
    for (const char* bad : {"-1", ".5", "5.", "NaN", "1e9", "1,5", ""}) {
        CHECK_FALSE(takes(number, bad));
    }
    const Parameter boolean{.name = "b", .type = ParameterType::boolean};
    CHECK((takes(boolean, "true") && takes(boolean, "false") && !takes(boolean, "yes")));
    const Parameter date{.name = "d", .type = ParameterType::date};
    for (const char* good : {"2026-11-21", "2024-02-29", "0001-01-01"}) CHECK(takes(date, good));
    for (const char* bad :
         {"2026-02-29", "2026-13-01", "0000-01-01", "2026-1-1", "today", "2026-11-21 "}) {
        CHECK_FALSE(takes(date, bad));
    }
    const Parameter time{.name = "t", .type = ParameterType::timestamp};
    for (const char* good :
         {"2026-11-21",
          "2026-11-21T11:55",
          "2026-11-21 11:55:29",
          "2026-11-21T11:55:29.123456Z",
          "2026-11-21T11:55:29+02",
          "2026-11-21T11:55:29-03:30"}) {
        CHECK(takes(time, good));
    }
    for (const char* bad :
         {"now",
          "2026-11-21T",
          "2026-11-21T24:00",
          "2026-11-21T11:60",
          "2026-11-21T11:55:29.",
          "2026-11-21T11:55:29+25",
          "2026-11-21T11:55:29 Europe/Berlin"}) {
        CHECK_FALSE(takes(time, bad));
    }
}

TEST_CASE("a text is UTF-8 without NUL, and not without end", "[reports]") {
    const Parameter any{.name = "t"};
    CHECK(takes(any, ""));
    CHECK(takes(any, "'; DROP TABLE x; --"));
    CHECK(takes(any, "é"));
    CHECK_FALSE(takes(any, "\xFF"));
    CHECK_FALSE(takes(any, std::string_view{"a\0b", 3}));
    CHECK_FALSE(takes(any, std::string(8193, 'x')));
}
