#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"
#include "tests/unit/pgoutput/decoded.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;
using enum StreamContext;

// Relation, Type, Insert, Update, Delete, Truncate and Message: their fields, and every byte of
// them that can be wrong.

namespace {

const RelationId id{16400};

std::string text_of(const Value& value) {
    return {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
}

/// An Insert up to and including the column count.
WireWriter insert_of(unsigned column_count) {
    WireWriter out;
    out.letter('I').relation_id(id).letter('N').u16(column_count);
    return out;
}

constexpr std::size_t insert_values_at = 8;

}  // namespace

TEST_CASE("Relation has names, identity and columns", "[pgoutput]") {
    const auto message = decoded<RelationMessage>(encode(RelationMessage{{}, orders_relation()}));
    CHECK_FALSE(message->xid);
    CHECK(message->relation == orders_relation());
}

TEST_CASE("the wire's empty schema name is pg_catalog", "[pgoutput]") {
    const auto relation = decoded<RelationMessage>(WireWriter{}
                                                       .letter('R')
                                                       .u32(1259)
                                                       .c_string("")
                                                       .c_string("pg_class")
                                                       .letter('n')
                                                       .u16(0)
                                                       .take())
                              ->relation;
    CHECK(relation.schema_name == "pg_catalog");
    const auto type =
        decoded<TypeMessage>(WireWriter{}.letter('Y').u32(600).c_string("").c_string("p").take());
    CHECK(type->schema_name == "pg_catalog");
}

TEST_CASE("Relation knows four replica identities and no fifth", "[pgoutput]") {
    auto relation = orders_relation();
    for (const char identity : {'d', 'n', 'f', 'i'}) {
        relation.replica_identity = static_cast<ReplicaIdentity>(identity);
        const auto message = decoded<RelationMessage>(encode(RelationMessage{{}, relation}));
        CHECK(static_cast<char>(message->relation.replica_identity) == identity);
    }
    relation.replica_identity = static_cast<ReplicaIdentity>('D');
    const auto error = rejected(encode(RelationMessage{{}, relation}));
    CHECK(error.code == DecodeErrc::bad_replica_identity);
    CHECK(error.offset == 1 + 4 + sizeof("operations") + sizeof("orders"));
}

TEST_CASE("a flag of a Relation's column that no version knows is rejected", "[pgoutput]") {
    const auto error = rejected(WireWriter{}
                                    .letter('R')
                                    .u32(1)
                                    .c_string("s")
                                    .c_string("t")
                                    .letter('d')
                                    .u16(1)
                                    .u8(2)
                                    .c_string("c")
                                    .u32(20)
                                    .i32(-1)
                                    .take());
    CHECK(error.code == DecodeErrc::bad_flags);
    CHECK(error.offset == 12);
}

TEST_CASE("a Relation with an impossible number of columns is rejected", "[pgoutput]") {
    for (const unsigned count : {0xFFFFU, 0x8000U, 32767U, 1601U}) {
        const auto error = rejected(
            WireWriter{}.letter('R').u32(1).c_string("s").c_string("t").letter('d').u16(count).take(
            )
        );
        CHECK(error.code == DecodeErrc::bad_column_count);
        CHECK(error.offset == 10);
    }
}

TEST_CASE("a Relation may have as many columns as a table", "[pgoutput]") {
    auto relation = orders_relation();
    relation.columns.resize(1600, Column{false, "c", TypeOid{20}, -1});
    const auto message = decoded<RelationMessage>(encode(RelationMessage{{}, relation}));
    CHECK(message->relation == relation);
}

TEST_CASE("Type names a type that is not built in", "[pgoutput]") {
    const auto type = decoded<TypeMessage>(
        WireWriter{}.letter('Y').u32(16390).c_string("operations").c_string("mood").take()
    );
    CHECK(type->type == TypeOid{16390});
    CHECK(type->schema_name == "operations");
    CHECK(type->name == "mood");
}

TEST_CASE("Insert gives the values as they came", "[pgoutput]") {
    const Row row{text("42"), null(), text(""), binary(std::string{"\0\x7F", 2})};
    const auto insert = decoded<Insert>(encode(Insert{{}, id, row.tuple()}));
    CHECK(insert->relation == id);
    REQUIRE(insert->new_tuple.column_count == 4);
    CHECK_FALSE(insert->new_tuple.has_unchanged_toast);
    TupleReader values{insert->new_tuple};
    CHECK(text_of(values.next()) == "42");
    CHECK(values.next().kind == ValueKind::null);
    const auto empty = values.next();
    CHECK(empty.kind == ValueKind::text);
    CHECK(empty.bytes.empty());
    const auto bytes = values.next();
    CHECK(bytes.kind == ValueKind::binary);
    CHECK(text_of(bytes) == std::string{"\0\x7F", 2});
}

TEST_CASE("Update has no old tuple, a key, or a whole old row", "[pgoutput]") {
    const Row key{text("1"), null()};
    const Row row{text("2"), unchanged()};

    const auto plain = decoded<Update>(encode(Update{{}, id, OldTupleKind::none, {}, row.tuple()}));
    CHECK(plain->old_kind == OldTupleKind::none);
    CHECK(plain->old_tuple.column_count == 0);
    CHECK(plain->new_tuple.column_count == 2);
    CHECK(plain->new_tuple.has_unchanged_toast);

    for (const auto kind : {OldTupleKind::key, OldTupleKind::full}) {
        const auto update = decoded<Update>(encode(Update{{}, id, kind, key.tuple(), row.tuple()}));
        CHECK(update->old_kind == kind);
        CHECK(text_of(TupleReader{update->old_tuple}.next()) == "1");
        CHECK_FALSE(update->old_tuple.has_unchanged_toast);
        CHECK(text_of(TupleReader{update->new_tuple}.next()) == "2");
        CHECK(update->new_tuple.has_unchanged_toast);
    }
}

TEST_CASE("Update with both old tuples is rejected", "[pgoutput]") {
    const Row row{text("1")};
    WireWriter out;
    out.letter('U').relation_id(id).letter('K').tuple(row.tuple());
    const auto second_at = 1U + 4U + 1U + 2U + 1U + 4U + 1U;
    const auto error = rejected(out.letter('O').tuple(row.tuple()).letter('N').u16(0).take());
    CHECK(error.code == DecodeErrc::bad_tuple_kind);
    CHECK(error.offset == second_at);
}

TEST_CASE("Delete has a key or a whole old row", "[pgoutput]") {
    const Row key{text("1"), null()};
    for (const auto kind : {OldTupleKind::key, OldTupleKind::full}) {
        const auto removed = decoded<Delete>(encode(Delete{{}, id, kind, key.tuple()}));
        CHECK(removed->old_kind == kind);
        CHECK(removed->relation == id);
        CHECK(removed->old_tuple.column_count == 2);
    }
}

TEST_CASE("a tuple under the wrong letter is rejected", "[pgoutput]") {
    const Row row{text("1")};
    const auto with = [&](char tag, char kind) {
        WireWriter out;
        return out.letter(tag).relation_id(id).letter(kind).tuple(row.tuple()).take();
    };
    for (const char kind : {'K', 'O', 'n', '\0'}) {
        CHECK(rejected(with('I', kind)).code == DecodeErrc::bad_tuple_kind);
    }
    for (const char kind : {'N', 'k', '\0'}) {
        CHECK(rejected(with('D', kind)).code == DecodeErrc::bad_tuple_kind);
    }
    CHECK(rejected(with('U', 'X')).code == DecodeErrc::bad_tuple_kind);
    CHECK(rejected(with('U', 'X')).offset == 5);
}

TEST_CASE("a value of an unknown kind is rejected", "[pgoutput]") {
    for (const char kind : {'N', 'T', 'x', '\0'}) {
        const auto error = rejected(insert_of(2).letter('n').letter(kind).u32(0).take());
        CHECK(error.code == DecodeErrc::bad_value_kind);
        CHECK(error.offset == insert_values_at + 1);
    }
}

TEST_CASE("a value of negative length is rejected", "[pgoutput]") {
    for (const std::int32_t length : {-1, std::numeric_limits<std::int32_t>::min()}) {
        const auto error = rejected(insert_of(1).letter('t').i32(length).text("abc").take());
        CHECK(error.code == DecodeErrc::bad_length);
        CHECK(error.offset == insert_values_at + 1);
    }
}

TEST_CASE("a value longer than its message is rejected", "[pgoutput]") {
    for (const std::int32_t length : {4, std::numeric_limits<std::int32_t>::max()}) {
        const auto error = rejected(insert_of(1).letter('b').i32(length).text("abc").take());
        CHECK(error.code == DecodeErrc::truncated);
        CHECK(error.offset == insert_values_at + 5);
    }
}

TEST_CASE("a tuple with an impossible number of columns is rejected", "[pgoutput]") {
    // -1, the smallest, the largest, and one more than a table can have.
    for (const unsigned count : {0xFFFFU, 0x8000U, 32767U, 1601U}) {
        auto out = insert_of(count);
        for (unsigned i = 0; i < count; ++i) out.letter('n');
        const auto error = rejected(out.take());
        CHECK(error.code == DecodeErrc::bad_column_count);
        CHECK(error.offset == insert_values_at - 2);
    }
}

TEST_CASE("a tuple with fewer values than columns is rejected", "[pgoutput]") {
    CHECK(rejected(insert_of(2).letter('n').take()).code == DecodeErrc::truncated);
    CHECK(rejected(insert_of(1600).letter('n').take()).offset == insert_values_at + 1);
}

TEST_CASE("a tuple without columns is a row of a table without columns", "[pgoutput]") {
    const auto insert = decoded<Insert>(insert_of(0).take());
    CHECK(insert->new_tuple.column_count == 0);
    CHECK(insert->new_tuple.wire.empty());
}

TEST_CASE("Truncate lists its relations and its options", "[pgoutput]") {
    const auto bytes = WireWriter{}.letter('T').u32(2).u8(0).u32(16400).u32(4294967295).take();
    const auto truncate = decoded<Truncate>(bytes);
    REQUIRE(truncate->relation_count == 2);
    CHECK_FALSE(truncate->cascade);
    CHECK_FALSE(truncate->restart_identity);
    CHECK(truncate->relation(0) == RelationId{16400});
    CHECK(truncate->relation(1) == RelationId{4294967295});

    const auto one = oids({16400});
    CHECK(decoded<Truncate>(encode(Truncate{{}, 1, true, false, one}))->cascade);
    CHECK(decoded<Truncate>(encode(Truncate{{}, 1, false, true, one}))->restart_identity);
}

TEST_CASE("Truncate of no relation, or of 2^31, is rejected", "[pgoutput]") {
    for (const std::uint32_t count : {0U, 0x80000000U, 0xFFFFFFFFU}) {
        const auto error = rejected(WireWriter{}.letter('T').u32(count).u8(0).u32(1).take());
        CHECK(error.code == DecodeErrc::bad_length);
        CHECK(error.offset == 1);
    }
    const auto most = WireWriter{}.letter('T').u32(0x7FFFFFFF).u8(0).u32(1).take();
    CHECK(rejected(most).code == DecodeErrc::truncated);
}

TEST_CASE("an option of Truncate that no version knows is rejected", "[pgoutput]") {
    const auto error = rejected(WireWriter{}.letter('T').u32(1).u8(4).u32(16400).take());
    CHECK(error.code == DecodeErrc::bad_flags);
    CHECK(error.offset == 5);
}

TEST_CASE("a logical message has a prefix and any bytes", "[pgoutput]") {
    const auto bytes =
        WireWriter{}.letter('M').u8(1).u64(0x1234).c_string("p").u32(3).u8(0).u8(255).u8(7).take();
    const auto message = decoded<LogicalMessage>(bytes);
    CHECK(message->transactional);
    CHECK(message->message_lsn == Lsn{0x1234});
    CHECK(message->prefix == "p");
    REQUIRE(message->content.size() == 3);
    CHECK(message->content[1] == std::byte{255});
}

TEST_CASE("a logical message that claims a gigabyte it does not have is rejected", "[pgoutput]") {
    const auto with_length = [](std::uint32_t length) {
        return WireWriter{}.letter('M').u8(0).u64(1).c_string("p").u32(length).text("x").take();
    };
    CHECK(rejected(with_length(1U << 30U)).code == DecodeErrc::truncated);
    CHECK(rejected(with_length(0xFFFFFFFF)).code == DecodeErrc::bad_length);
    CHECK(
        rejected(WireWriter{}.letter('M').u8(2).u64(1).c_string("p").u32(0).take()).code ==
        DecodeErrc::bad_flags
    );
}
