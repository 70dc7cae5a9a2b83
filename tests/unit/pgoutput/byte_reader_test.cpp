#include "pgoutput/byte_reader.hpp"

#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;
using pgchronicle::test::WireWriter;

TEST_CASE("integers are read as big-endian", "[pgoutput]") {
    const auto bytes =
        WireWriter{}.u8(0xFE).u16(0x0102).u32(0x01020304).u64(0x0102030405060708).take();
    ByteReader in{bytes};
    CHECK(in.u8() == 0xFE);
    CHECK(in.u16() == 0x0102);
    CHECK(in.u32() == 0x01020304);
    CHECK(in.u64() == 0x0102030405060708);
    CHECK(in.finish('x').code == DecodeErrc::ok);
}

TEST_CASE("signed integers keep their sign", "[pgoutput]") {
    const auto bytes = WireWriter{}.u16(0xFFFF).i32(-2).u64(0xFFFFFFFFFFFFFFFD).take();
    ByteReader in{bytes};
    CHECK(in.i16() == -1);
    CHECK(in.i32() == -2);
    CHECK(in.i64() == -3);
}

TEST_CASE("a string ends at its NUL, which is consumed", "[pgoutput]") {
    const auto bytes = WireWriter{}.c_string("name").c_string("").u8(7).take();
    ByteReader in{bytes};
    CHECK(in.c_string() == "name");
    CHECK(in.c_string().empty());
    CHECK(in.u8() == 7);
}

TEST_CASE("a string without a NUL fails where it begins", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(1).text("name").take();
    ByteReader in{bytes};
    CHECK(in.u8() == 1);
    CHECK(in.c_string().empty());
    const auto error = in.finish('x');
    CHECK(error.code == DecodeErrc::unterminated_string);
    CHECK(error.offset == 1);
    CHECK(error.tag == 'x');
}

TEST_CASE("a field that is cut short reads as zero and consumes nothing", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(1).u8(2).u8(3).take();
    ByteReader in{bytes};
    CHECK(in.u32() == 0);
    CHECK(in.finish('x').code == DecodeErrc::truncated);
    CHECK(in.finish('x').offset == 0);
}

TEST_CASE("after a failure nothing can be read, not even what is there", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(1).u8(2).take();
    ByteReader in{bytes};
    CHECK(in.u16() == 0x0102);
    CHECK(in.u16() == 0);
    ByteReader again{bytes};
    CHECK(again.u32() == 0);
    CHECK(again.u8() == 0);
    CHECK(again.c_string().empty());
    CHECK(again.bytes(1).empty());
}

TEST_CASE("the first failure is the one that is reported", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(9).text("abc").take();
    ByteReader in{bytes};
    in.require(in.u8() == 1, DecodeErrc::bad_flags, 0);
    static_cast<void>(in.c_string());
    in.require(false, DecodeErrc::bad_position, 2);
    const auto error = in.finish('x');
    CHECK(error.code == DecodeErrc::bad_flags);
    CHECK(error.offset == 0);
}

TEST_CASE("bytes left over are an error with the offset of the first of them", "[pgoutput]") {
    const auto bytes = WireWriter{}.u16(1).u8(2).take();
    ByteReader in{bytes};
    CHECK(in.u16() == 1);
    CHECK(in.finish('x').code == DecodeErrc::trailing_bytes);
    CHECK(in.finish('x').offset == 2);
}

TEST_CASE("an empty span has no first byte and is finished", "[pgoutput]") {
    ByteReader in{{}};
    CHECK(in.finish('x').code == DecodeErrc::ok);
    CHECK(in.bytes(0).empty());
    CHECK(in.finish('x').code == DecodeErrc::ok);
    CHECK(in.u8() == 0);
    CHECK(in.finish('x').code == DecodeErrc::truncated);
}

TEST_CASE("more bytes than a size can count are not there", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(1).take();
    ByteReader in{bytes};
    CHECK(in.bytes(static_cast<std::size_t>(-1)).empty());
    CHECK(in.finish('x').code == DecodeErrc::truncated);
}

TEST_CASE("since gives back what was read", "[pgoutput]") {
    const auto bytes = WireWriter{}.u8(1).u8(2).u8(3).take();
    ByteReader in{bytes};
    static_cast<void>(in.u8());
    const auto start = in.offset();
    static_cast<void>(in.u8());
    REQUIRE(in.since(start).size() == 1);
    CHECK(in.since(start).front() == std::byte{2});
}
