#include "commands/aligned_table.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace pgchronicle::commands;

TEST_CASE("columns are as wide as their widest cell in characters", "[commands]") {
    AlignedTable table{{"a", "bb"}};
    table.add({"\u00e9\u00e9\u00e9", "x"});
    table.add({"1234", ""});
    std::ostringstream out;
    table.print(out);
    CHECK(out.str() == "a     bb\n\u00e9\u00e9\u00e9   x\n1234\n");
}

TEST_CASE("numbers end where their column does, and no line ends in blanks", "[commands]") {
    AlignedTable table{{"n", "count", "text"}};
    table.align_right(0);
    table.align_right(1);
    table.add({"1", "7", ""});
    table.add({"200", "", "x"});
    std::ostringstream out;
    table.print(out);
    CHECK(out.str() == "  n  count  text\n  1      7\n200         x\n");
}

TEST_CASE("styles are shown only where colours are wanted, and take no width", "[commands]") {
    AlignedTable table{{"a", "b"}};
    table.add(
        {"x\x1B"
         "y",
         "z"},
        {Style::red, Style::plain}
    );
    std::ostringstream plain;
    table.print(plain);
    CHECK(plain.str() == "a       b\nx\\x1by  z\n");
    std::ostringstream coloured;
    table.print(coloured, true);
    CHECK(coloured.str() == "\x1B[1ma\x1B[0m       \x1B[1mb\x1B[0m\n\x1B[31mx\\x1by\x1B[0m  z\n");
}
