#include "log/printable.hpp"

#include <catch2/catch.hpp>

using pgchronicle::log::one_line;

TEST_CASE("nothing of a text reaches the terminal as more than characters", "[log]") {
    CHECK(one_line("a\n\tb\r\x1b[2J\x7f") == "a\\n\\tb\\x0d\\x1b[2J\\x7f");
    // Control Sequence Introducer as one character, and what turns the direction of writing.
    CHECK(one_line("a\u009b2J") == "a\\u009b2J");
    CHECK(one_line("a\u2028b\u202ec\u2066d") == "a\\u2028b\\u202ec\\u2066d");
    CHECK(one_line("a\xff\xc3") == "a\\xff\\xc3");
    CHECK(one_line("\u00fc\u65e5\U0001F642") == "\u00fc\u65e5\U0001F642");
}

TEST_CASE("a cut text ends between characters", "[log]") {
    CHECK(one_line("abc", 3) == "abc");
    CHECK(one_line("abcd", 3) == "abc\u2026");
    CHECK(one_line("\u00e9\u00e9\u00e9\u00e9", 2) == "\u00e9\u00e9\u2026");
    CHECK(one_line("") == "");
}
