#include "pgoutput/transaction_assembler.hpp"

#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

// What the assembler says of sequences that a server sends. Those it cannot send are in
// transaction_assembler_rejects_test.cpp.

namespace {

const PgTimestamp noon{846'849'600'000'000};
const RelationId orders{16400};

Begin begin_at(std::uint64_t final_lsn) {
    return {Lsn{final_lsn}, noon, Xid{742}};
}
Commit commit_of(std::uint64_t start, std::uint64_t end) {
    return {0, Lsn{start}, Lsn{end}, noon};
}

/// Feeds one message that must be accepted as the given kind of step.
template <typename T>
T accepted(TransactionAssembler& assembler, const Message& message) {
    const auto step = assembler.on(message);
    if (!step.ok()) FAIL(to_string(step.error()));
    REQUIRE(std::holds_alternative<T>(*step));
    return std::get<T>(*step);
}

const Row row{text("1"), text("note"), null()};
const Row key{text("1"), null(), null()};

}  // namespace

TEST_CASE("a transaction begins, changes rows and commits", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    const auto began = accepted<TransactionBegan>(assembler, begin_at(100));
    CHECK(began.xid == Xid{742});
    CHECK(began.final_lsn == Lsn{100});
    CHECK(began.commit_time == noon);
    CHECK_FALSE(began.already_applied);
    CHECK(assembler.in_transaction());

    const auto described =
        accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    CHECK(*described.relation == orders_relation());
    CHECK(described.previous == nullptr);

    const auto inserted = accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()});
    CHECK(inserted.operation == RowOperation::inserted);
    CHECK(inserted.relation == described.relation);
    CHECK(inserted.old_kind == OldTupleKind::none);
    CHECK(inserted.new_tuple.wire.data() == row.tuple().wire.data());

    const auto committed = accepted<TransactionCommitted>(assembler, commit_of(100, 148));
    CHECK(committed.xid == Xid{742});
    CHECK(committed.commit_lsn == Lsn{100});
    CHECK(committed.end_lsn == Lsn{148});
    CHECK(committed.commit_time == noon);
    CHECK(committed.change_count == 1);
    CHECK_FALSE(assembler.in_transaction());
}

TEST_CASE("an update and a delete carry what was sent of the old row", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});

    const auto plain =
        accepted<RowChanged>(assembler, Update{{}, orders, OldTupleKind::none, {}, row.tuple()});
    CHECK(plain.operation == RowOperation::updated);
    CHECK(plain.old_kind == OldTupleKind::none);

    const auto rekeyed = accepted<RowChanged>(
        assembler, Update{{}, orders, OldTupleKind::key, key.tuple(), row.tuple()}
    );
    CHECK(rekeyed.old_kind == OldTupleKind::key);
    CHECK(rekeyed.old_tuple.wire.data() == key.tuple().wire.data());
    CHECK(rekeyed.new_tuple.wire.data() == row.tuple().wire.data());

    const auto deleted =
        accepted<RowChanged>(assembler, Delete{{}, orders, OldTupleKind::key, key.tuple()});
    CHECK(deleted.operation == RowOperation::deleted);
    CHECK(deleted.old_tuple.wire.data() == key.tuple().wire.data());
    CHECK(deleted.new_tuple.column_count == 0);
}

TEST_CASE("changes are numbered from 1 in each transaction, a TRUNCATE taking one", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    auto items = orders_relation();
    items.id = RelationId{16401};
    const auto both = oids({16400, 16401});

    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    accepted<RelationDescribed>(assembler, RelationMessage{{}, items});
    const Insert insert{{}, orders, row.tuple()};
    CHECK(accepted<RowChanged>(assembler, insert).change_seq == 1);
    const auto truncated = accepted<TablesTruncated>(assembler, Truncate{{}, 2, true, false, both});
    CHECK(truncated.change_seq == 2);
    CHECK(truncated.truncate.relation_count == 2);
    CHECK(truncated.truncate.cascade);
    const Insert other{{}, items.id, row.tuple()};
    CHECK(accepted<RowChanged>(assembler, other).change_seq == 3);
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(100, 148)).change_count == 3);

    accepted<TransactionBegan>(assembler, begin_at(148));
    CHECK(accepted<RowChanged>(assembler, insert).change_seq == 1);
}

TEST_CASE("an empty transaction is one", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(100, 148)).change_count == 0);
}

TEST_CASE("a transaction may start exactly where the one before it ended", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<TransactionCommitted>(assembler, commit_of(100, 148));
    accepted<TransactionBegan>(assembler, begin_at(148));
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(148, 196)).end_lsn == Lsn{196});
}

TEST_CASE("a transaction that ends at or before the start position is already applied") {
    TransactionAssembler assembler{Lsn{148}};
    CHECK(accepted<TransactionBegan>(assembler, begin_at(50)).already_applied);
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(50, 90)).already_applied);
    CHECK(accepted<TransactionBegan>(assembler, begin_at(100)).already_applied);
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(100, 148)).already_applied);
    CHECK_FALSE(accepted<TransactionBegan>(assembler, begin_at(148)).already_applied);
    CHECK_FALSE(accepted<TransactionCommitted>(assembler, commit_of(148, 196)).already_applied);
}

TEST_CASE("rows of an already applied transaction are checked and numbered too", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{148}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    CHECK(accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()}).change_seq == 1);
}

TEST_CASE("commit times may step back", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<TransactionCommitted>(assembler, commit_of(100, 148));
    const PgTimestamp earlier{noon.microseconds - 1'000'000};
    accepted<TransactionBegan>(assembler, Begin{Lsn{148}, earlier, Xid{7}});
    const auto committed =
        accepted<TransactionCommitted>(assembler, Commit{0, Lsn{148}, Lsn{196}, earlier});
    CHECK(committed.commit_time == earlier);
}

TEST_CASE("a relation sent again unchanged says so and keeps its place", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    const RelationMessage message{{}, orders_relation()};
    const auto* const relation = accepted<RelationDescribed>(assembler, message).relation;
    const auto again = accepted<RelationDescribed>(assembler, message);
    CHECK(again.relation == relation);
    CHECK(again.previous == relation);
    CHECK(accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()}).relation == relation);
}

TEST_CASE("a relation may change between two rows of one transaction", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()});

    auto wider = orders_relation();
    wider.columns.push_back(Column{false, "added", TypeOid{23}, -1});
    const auto described = accepted<RelationDescribed>(assembler, RelationMessage{{}, wider});
    CHECK(*described.relation == wider);
    REQUIRE(described.previous != nullptr);
    CHECK(*described.previous == orders_relation());

    const Row wide{text("1"), text("note"), null(), text("5")};
    const auto changed = accepted<RowChanged>(assembler, Insert{{}, orders, wide.tuple()});
    CHECK(changed.relation == described.relation);
    CHECK(*assembler.shared_relation(orders) == wider);
}

TEST_CASE("a relation stays described in the transactions that follow", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    accepted<TransactionCommitted>(assembler, commit_of(100, 148));
    accepted<TransactionBegan>(assembler, begin_at(148));
    accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()});
}

TEST_CASE("rows of two relations in turn find their own relation", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    auto items = orders_relation();
    items.id = RelationId{16401};
    items.name = "items";
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    accepted<RelationDescribed>(assembler, RelationMessage{{}, items});
    for (int round = 0; round < 3; ++round) {
        const auto first = accepted<RowChanged>(assembler, Insert{{}, orders, row.tuple()});
        CHECK(first.relation->name == "orders");
        const auto second = accepted<RowChanged>(assembler, Insert{{}, items.id, row.tuple()});
        CHECK(second.relation->name == "items");
    }
}

TEST_CASE("origins, types and logical messages ask nothing of the caller", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<Nothing>(assembler, LogicalMessage{{}, false, Lsn{90}, "p", {}});
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<Nothing>(assembler, Origin{Lsn{7}, "north"});
    accepted<Nothing>(assembler, TypeMessage{{}, TypeOid{16390}, "operations", "mood"});
    accepted<Nothing>(assembler, LogicalMessage{{}, true, Lsn{95}, "p", {}});
    CHECK(accepted<TransactionCommitted>(assembler, commit_of(100, 148)).change_count == 0);
}

TEST_CASE("an update whose key is unchanged TOAST is known by its old key", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accepted<TransactionBegan>(assembler, begin_at(100));
    accepted<RelationDescribed>(assembler, RelationMessage{{}, orders_relation()});
    const Row toasted_key{unchanged(), text("note"), null()};
    const Row toasted_note{text("1"), unchanged(), null()};
    accepted<RowChanged>(
        assembler, Update{{}, orders, OldTupleKind::key, key.tuple(), toasted_key.tuple()}
    );
    accepted<RowChanged>(
        assembler, Update{{}, orders, OldTupleKind::none, {}, toasted_note.tuple()}
    );
}
