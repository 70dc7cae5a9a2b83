#include "pgoutput/lsn.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;

TEST_CASE("an LSN is written as PostgreSQL writes it", "[pgoutput]") {
    CHECK(to_string(Lsn{0}) == "0/0");
    CHECK(to_string(Lsn{0x16B374D848}) == "16/B374D848");
    CHECK(to_string(Lsn{0x0000000100000000}) == "1/0");
    CHECK(to_string(Lsn{~0ULL}) == "FFFFFFFF/FFFFFFFF");
}

TEST_CASE("an LSN is read in either case and with leading zeros", "[pgoutput]") {
    CHECK(parse_lsn("16/B374D848") == Lsn{0x16B374D848});
    CHECK(parse_lsn("16/b374d848") == Lsn{0x16B374D848});
    CHECK(parse_lsn("00000016/B374D848") == Lsn{0x16B374D848});
    CHECK(parse_lsn("FFFFFFFF/FFFFFFFF") == Lsn{~0ULL});
}

TEST_CASE("what is not an LSN is not read as one", "[pgoutput]") {
    for (const auto* const text :
         {"",
          "/",
          "0",
          "0/",
          "/0",
          "0/0/0",
          " 0/0",
          "0/0 ",
          "0x1/0",
          "-1/0",
          "+1/0",
          "0/G",
          "123456789/0",
          "0/123456789"}) {
        INFO(text);
        CHECK_FALSE(parse_lsn(text));
    }
}

TEST_CASE("bytes between two positions are never negative", "[pgoutput]") {
    CHECK(bytes_between(Lsn{10}, Lsn{25}) == 15);
    CHECK(bytes_between(Lsn{25}, Lsn{10}) == 0);
    CHECK(bytes_between(Lsn{1ULL << 63U}, Lsn{~0ULL}) == (1ULL << 63U) - 1);
}

TEST_CASE("0/0 is no position", "[pgoutput]") {
    CHECK_FALSE(Lsn{}.valid());
    CHECK(Lsn{1}.valid());
}
