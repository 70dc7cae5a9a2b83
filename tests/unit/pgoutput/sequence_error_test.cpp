#include "pgoutput/sequence_error.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pgchronicle::pgoutput;

TEST_CASE("a sequence error reads like a server's", "[pgoutput]") {
    const SequenceError error{
        SequenceErrc::unknown_relation,
        "relation 16400 was never described",
        "\"INSERT\" in transaction 742, finished at 0/1A"};
    CHECK(
        to_string(error) ==
        "relation 16400 was never described\n"
        "CONTEXT:  \"INSERT\" in transaction 742, finished at 0/1A"
    );
}

TEST_CASE("every sequence error code has a name of its own", "[pgoutput]") {
    std::set<std::string_view> names;
    const auto last = static_cast<int>(SequenceErrc::key_not_sent);
    for (int code = 0; code <= last; ++code) names.insert(name_of(static_cast<SequenceErrc>(code)));
    CHECK(names.size() == static_cast<std::size_t>(last) + 1);
    CHECK(names.count("unknown_error") == 0);
}
