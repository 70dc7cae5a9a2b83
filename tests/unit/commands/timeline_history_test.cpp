#include "commands/timeline_history.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::commands;
using pgchronicle::pgoutput::Lsn;

namespace {

// Of a server that was promoted twice.
constexpr const char* file =
    "1\t0/3000158\tno recovery target specified\n"
    "\n"
    "# somebody was here\n"
    "2\t16/B374D848\tbefore 2026-11-21 12:00:00+00\n";

}  // namespace

TEST_CASE("a timeline history file names each ancestor and where it was left", "[commands]") {
    CHECK(
        parse_timeline_history(file) ==
        std::vector<TimelineEnd>{{1, Lsn{0x3000158}}, {2, Lsn{0x16B374D848}}}
    );
    CHECK(parse_timeline_history("1\t0/30") == std::vector<TimelineEnd>{{1, Lsn{0x30}}});
}

TEST_CASE("lines of another form are no ancestors", "[commands]") {
    for (const char* const line :
         {"",
          "\n\n",
          "# 1\t0/30",
          "1\t",
          "1\tnowhere",
          "x\t0/30",
          "1x\t0/30",
          "4294967296\t0/30",
          "-1\t0/30"}) {
        CAPTURE(line);
        CHECK(parse_timeline_history(line).empty());
    }
}

TEST_CASE("what a timeline wrote is shared up to where it was left", "[commands]") {
    const auto ancestors = parse_timeline_history(file);
    CHECK(shared_until(ancestors, 1) == Lsn{0x3000158});
    CHECK(shared_until(ancestors, 2) == Lsn{0x16B374D848});
    // A branch that this server does not come from, and a server that was never promoted.
    CHECK(shared_until(ancestors, 3) == std::nullopt);
    CHECK(shared_until({}, 1) == std::nullopt);
}
