#include "pgoutput/decode_error.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace pgchronicle::pgoutput;

TEST_CASE("a decode error says what, where, and in which message", "[pgoutput]") {
    CHECK(to_string({DecodeErrc::truncated, 17, 'I'}) == "truncated at byte 17 of message 'I'");
    CHECK(
        to_string({DecodeErrc::bad_tuple_kind, 5, 'U'}) == "bad tuple kind at byte 5 of message 'U'"
    );
}

TEST_CASE("a tag that is no letter is spelt in hexadecimal", "[pgoutput]") {
    CHECK(to_string({DecodeErrc::unknown_tag, 0, '\n'}) == "unknown tag at byte 0 of message 0x0A");
    CHECK(
        to_string({DecodeErrc::unknown_tag, 0, '\xFF'}) == "unknown tag at byte 0 of message 0xFF"
    );
    CHECK(to_string({DecodeErrc::unknown_tag, 0, '\0'}) == "unknown tag at byte 0 of message 0x00");
}

TEST_CASE("an empty message is called empty", "[pgoutput]") {
    CHECK(to_string({DecodeErrc::truncated, 0, 0}) == "truncated: empty message");
}

TEST_CASE("every decode error code has a name of its own", "[pgoutput]") {
    std::set<std::string_view> names;
    for (auto code = DecodeErrc::ok; code <= DecodeErrc::bad_position;
         code = static_cast<DecodeErrc>(static_cast<int>(code) + 1)) {
        names.insert(name_of(code));
    }
    CHECK(names.size() == static_cast<std::size_t>(DecodeErrc::bad_position) + 1);
    CHECK(names.count("unknown error") == 0);
}
