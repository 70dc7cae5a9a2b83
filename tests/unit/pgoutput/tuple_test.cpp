#include "pgoutput/tuple.hpp"

#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

TEST_CASE("values are read one after the other, each with its own kind", "[pgoutput]") {
    const std::string long_text(70'000, 'x');  // Its length needs three of the four bytes.
    const Row row{unchanged(), text(long_text), null(), binary(""), text("end")};
    const auto tuple = row.tuple();
    CHECK(tuple.has_unchanged_toast);
    TupleReader values{tuple};
    CHECK(values.next().kind == ValueKind::unchanged_toast);
    CHECK(values.next().bytes.size() == long_text.size());
    CHECK(values.next().kind == ValueKind::null);
    const auto empty = values.next();
    CHECK(empty.kind == ValueKind::binary);
    CHECK(empty.bytes.empty());
    const auto last = values.next();
    CHECK(last.kind == ValueKind::text);
    CHECK(last.bytes.size() == 3);
    CHECK(last.bytes.data() + 3 == tuple.wire.data() + tuple.wire.size());
}
