#include "files/copy_text.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::files;

using Values = std::vector<std::optional<std::string>>;

TEST_CASE("fields of COPY's text form come back as they were", "[files]") {
    const Values values{"", "a\tb", "c\nd\re", "back\\slash", std::nullopt, "\\N", "\xC3\xBC"};
    std::string line;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i != 0) line += '\t';
        append_copy_field(line, values[i]);
    }
    CHECK(line == "\ta\\tb\tc\\nd\\re\tback\\\\slash\t\\N\t\\\\N\t\xC3\xBC");
    CHECK(copy_fields(line) == values);
    CHECK(copy_fields(line + "\n") == values);
}

TEST_CASE("escapes that only a server writes are read", "[files]") {
    CHECK(copy_fields("\\b\\f\\v\t\\N\n") == Values{"\b\f\v", std::nullopt});
    CHECK(copy_fields("\n") == Values{""});
}
