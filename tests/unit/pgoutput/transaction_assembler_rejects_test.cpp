#include "pgoutput/decode.hpp"
#include "pgoutput/transaction_assembler.hpp"
#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

// Sequences that the server cannot send: each is a typed error that says where.

namespace {

const PgTimestamp noon{846'849'600'000'000};
const RelationId orders{16400};
const Row row{text("1"), text("note"), null()};
const Row key{text("1"), null(), null()};

Begin begin_at(std::uint64_t final_lsn) {
    return {Lsn{final_lsn}, noon, Xid{742}};
}
Commit commit_of(std::uint64_t start, std::uint64_t end) {
    return {0, Lsn{start}, Lsn{end}, noon};
}

void accept(TransactionAssembler& assembler, const Message& message) {
    const auto step = assembler.on(message);
    if (!step.ok()) FAIL(to_string(step.error()));
}

SequenceError rejected(TransactionAssembler& assembler, const Message& message) {
    const auto step = assembler.on(message);
    REQUIRE_FALSE(step.ok());
    return step.error();
}

/// An assembler inside a transaction, after a description of the orders.
TransactionAssembler in_orders(ReplicaIdentity identity = ReplicaIdentity::by_default) {
    TransactionAssembler assembler{Lsn{}};
    auto relation = orders_relation();
    relation.replica_identity = identity;
    accept(assembler, begin_at(0x100));
    accept(assembler, RelationMessage{{}, relation});
    return assembler;
}

}  // namespace

TEST_CASE("a Commit without a Begin is rejected", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    const auto error = rejected(assembler, commit_of(100, 148));
    CHECK(error.code == SequenceErrc::outside_transaction);
    CHECK(error.context == "\"COMMIT\" after the commit that ended at 0/0");
}

TEST_CASE("a Begin inside a transaction is rejected", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{}};
    accept(assembler, begin_at(0x100));
    const auto error = rejected(assembler, Begin{Lsn{0x200}, noon, Xid{743}});
    CHECK(error.code == SequenceErrc::begin_inside_transaction);
    CHECK(error.primary == "transaction 743 begins before the one before it has committed");
    CHECK(error.context == "\"BEGIN\" in transaction 742, finished at 0/100");
}

TEST_CASE("what belongs into a transaction is rejected outside of one", "[pgoutput]") {
    const auto list = oids({16400});
    const std::vector<Message> messages{
        Origin{Lsn{7}, "north"},
        RelationMessage{{}, orders_relation()},
        TypeMessage{{}, TypeOid{16390}, "operations", "mood"},
        Insert{{}, orders, row.tuple()},
        Update{{}, orders, OldTupleKind::none, {}, row.tuple()},
        Delete{{}, orders, OldTupleKind::key, key.tuple()},
        Truncate{{}, 1, false, false, list},
        LogicalMessage{{}, true, Lsn{90}, "p", {}},
    };
    for (const auto& message : messages) {
        INFO(name_of(message));
        TransactionAssembler before{Lsn{}};
        CHECK(rejected(before, message).code == SequenceErrc::outside_transaction);

        auto after = in_orders();
        accept(after, commit_of(0x100, 0x130));
        const auto error = rejected(after, message);
        CHECK(error.code == SequenceErrc::outside_transaction);
        CHECK(
            error.context ==
            '"' + std::string{name_of(message)} + "\" after the commit that ended at 0/130"
        );
    }
}

TEST_CASE("a Commit other than the one its Begin announced is rejected", "[pgoutput]") {
    TransactionAssembler elsewhere{Lsn{}};
    accept(elsewhere, begin_at(100));
    CHECK(rejected(elsewhere, commit_of(101, 148)).code == SequenceErrc::commit_differs_from_begin);

    TransactionAssembler later{Lsn{}};
    accept(later, begin_at(100));
    const PgTimestamp one_later{noon.microseconds + 1};
    CHECK(
        rejected(later, Commit{0, Lsn{100}, Lsn{148}, one_later}).code ==
        SequenceErrc::commit_differs_from_begin
    );
}

TEST_CASE("a Commit that ends where it starts, or before, is rejected", "[pgoutput]") {
    for (const std::uint64_t end : {100U, 99U, 0U}) {
        TransactionAssembler assembler{Lsn{}};
        accept(assembler, begin_at(100));
        CHECK(
            rejected(assembler, commit_of(100, end)).code == SequenceErrc::commit_ends_before_start
        );
    }
}

TEST_CASE("a commit before the end of the one before it is rejected", "[pgoutput]") {
    // The same again, one inside it, and one long before.
    for (const std::uint64_t start : {100U, 147U, 1U}) {
        TransactionAssembler assembler{Lsn{}};
        accept(assembler, begin_at(100));
        accept(assembler, commit_of(100, 148));
        CHECK(rejected(assembler, begin_at(start)).code == SequenceErrc::position_went_back);
    }
}

TEST_CASE("a start position inside a commit record is rejected", "[pgoutput]") {
    TransactionAssembler assembler{Lsn{120}};
    accept(assembler, begin_at(100));
    CHECK(rejected(assembler, commit_of(100, 148)).code == SequenceErrc::start_inside_commit);
}

TEST_CASE("an Origin after the first change is rejected", "[pgoutput]") {
    auto assembler = in_orders();
    accept(assembler, Insert{{}, orders, row.tuple()});
    CHECK(rejected(assembler, Origin{Lsn{7}, "north"}).code == SequenceErrc::misplaced_origin);
}

TEST_CASE("streamed and prepared transactions were not asked for", "[pgoutput]") {
    int streamed = 0;
    int prepared = 0;
    for (const auto& sample : sample_messages()) {
        const auto message = decode(sample.bytes, sample.context).value();
        const std::string name{name_of(message)};
        const bool is_stream = name.starts_with("STREAM");
        const bool is_prepare = !is_stream && name.find("PREPARE") != std::string::npos;
        if (!is_stream && !is_prepare) continue;
        INFO(sample.name);
        TransactionAssembler outside{Lsn{}};
        const auto code =
            is_stream ? SequenceErrc::unexpected_stream : SequenceErrc::unexpected_prepare;
        CHECK(rejected(outside, message).code == code);
        auto inside = in_orders();
        const auto error = rejected(inside, message);
        CHECK(error.code == code);
        CHECK(error.context == '"' + name + "\" in transaction 742, finished at 0/100");
        (is_stream ? streamed : prepared) += 1;
    }
    CHECK(streamed == 7);
    CHECK(prepared == 4);
}

TEST_CASE("a row of a relation that was never described is rejected", "[pgoutput]") {
    const auto other = oids({16400, 99});
    const std::vector<Message> messages{
        Insert{{}, RelationId{99}, row.tuple()},
        Update{{}, RelationId{99}, OldTupleKind::none, {}, row.tuple()},
        Delete{{}, RelationId{99}, OldTupleKind::key, key.tuple()},
        Truncate{{}, 2, false, false, other},
    };
    for (const auto& message : messages) {
        auto assembler = in_orders();
        const auto error = rejected(assembler, message);
        CHECK(error.code == SequenceErrc::unknown_relation);
        CHECK(error.primary == "relation 99 was never described");
        CHECK(
            error.context ==
            '"' + std::string{name_of(message)} + "\" in transaction 742, finished at 0/100"
        );
    }
}

TEST_CASE("a tuple as wide as no row of its relation is rejected", "[pgoutput]") {
    const Row narrow{text("1"), null()};
    const Row wide{text("1"), null(), null(), null()};
    for (const auto* const wrong : {&narrow, &wide}) {
        const std::vector<Message> messages{
            Insert{{}, orders, wrong->tuple()},
            Update{{}, orders, OldTupleKind::none, {}, wrong->tuple()},
            Update{{}, orders, OldTupleKind::key, key.tuple(), wrong->tuple()},
            Update{{}, orders, OldTupleKind::key, wrong->tuple(), row.tuple()},
            Delete{{}, orders, OldTupleKind::key, wrong->tuple()},
        };
        for (const auto& message : messages) {
            auto assembler = in_orders();
            CHECK(rejected(assembler, message).code == SequenceErrc::column_count_mismatch);
        }
    }
}

TEST_CASE("a row that is rejected names its relation and both widths", "[pgoutput]") {
    const Row narrow{text("1")};
    auto assembler = in_orders();
    const auto error = rejected(assembler, Insert{{}, orders, narrow.tuple()});
    CHECK(error.primary == "new tuple has 1 columns but its relation has 3");
    CHECK(
        error.context ==
        "\"INSERT\" for relation \"operations.orders\" in transaction 742, finished at 0/100"
    );
}

TEST_CASE("unchanged TOAST in an old tuple is rejected", "[pgoutput]") {
    const Row toasted{text("1"), unchanged(), null()};
    auto deleting = in_orders(ReplicaIdentity::full);
    CHECK(
        rejected(deleting, Delete{{}, orders, OldTupleKind::full, toasted.tuple()}).code ==
        SequenceErrc::value_not_sent
    );
    auto updating = in_orders();
    CHECK(
        rejected(updating, Update{{}, orders, OldTupleKind::key, toasted.tuple(), row.tuple()})
            .code == SequenceErrc::value_not_sent
    );
}

TEST_CASE("an update whose key is unchanged TOAST, without the old key, is rejected") {
    const Row toasted_key{unchanged(), text("note"), null()};
    auto assembler = in_orders();
    CHECK(
        rejected(assembler, Update{{}, orders, OldTupleKind::none, {}, toasted_key.tuple()}).code ==
        SequenceErrc::key_not_sent
    );
}

TEST_CASE("nothing is accepted after a rejection", "[pgoutput]") {
    auto assembler = in_orders();
    const auto first = rejected(assembler, Insert{{}, RelationId{99}, row.tuple()});
    for (const Message& message :
         {Message{Insert{{}, orders, row.tuple()}},
          Message{commit_of(0x100, 0x130)},
          Message{begin_at(0x200)}}) {
        CHECK(to_string(rejected(assembler, message)) == to_string(first));
    }
}
