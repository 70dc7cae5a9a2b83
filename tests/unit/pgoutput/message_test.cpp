#include "pgoutput/message.hpp"

#include "pgoutput/decode.hpp"
#include "tests/support/sample_messages.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

TEST_CASE("every kind of message has PostgreSQL's name of it", "[pgoutput]") {
    std::set<std::string_view> names;
    for (const auto& sample : sample_messages()) {
        names.insert(name_of(decode(sample.bytes, sample.context).value()));
    }
    CHECK(names.size() == std::variant_size_v<Message>);
    CHECK(name_of(Message{Insert{}}) == "INSERT");
    CHECK(name_of(Message{StreamAbort{}}) == "STREAM ABORT");
}

TEST_CASE("a truncate gives its relations in order", "[pgoutput]") {
    const auto list = oids({3, 0x01020304, 1});
    const Truncate truncate{{}, 3, false, false, list};
    CHECK(truncate.relation(0) == RelationId{3});
    CHECK(truncate.relation(1) == RelationId{0x01020304});
    CHECK(truncate.relation(2) == RelationId{1});
}
