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
