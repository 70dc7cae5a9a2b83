#include "replicator/stream_pipeline.hpp"

#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::replicator;
using namespace pgchronicle::test;
using history_writer::WireForm;
using pgoutput::Lsn;
using pgoutput::PgTimestamp;

constexpr pgoutput::RelationId orders{16400};
constexpr pgoutput::RelationId audit{16401};

std::shared_ptr<const HistoryTable> orders_history() {
    auto table = std::make_shared<HistoryTable>();
    table->relation = orders;
    table->source_schema = "public";
    table->source_table = "orders";
    table->columns = {{"id", "id", "int4"}};
    table->key = {0};
    table->kept = {0};
    return table;
}

Bytes relation(pgoutput::RelationId id, const char* name) {
    return encode(pgoutput::RelationMessage{
        {},
        {id,
         "public",
         name,
         pgoutput::ReplicaIdentity::by_default,
         {{true, "id", pgoutput::TypeOid{23}, -1}}}});
}

Bytes insert(pgoutput::RelationId id, const char* value) {
    const Row row{text(value)};
    return encode(pgoutput::Insert{{}, id, row.tuple()});
}

/// A pipeline and what it says to each message.
struct Fed {
    explicit Fed(Lsn applied_end = {}, std::optional<PgTimestamp> clamp = {})
        : pipeline{WireForm::text, applied_end, clamp} {}

    Progress apply(const Bytes& message) {
        const auto outcome = pipeline.apply(message);
        REQUIRE(outcome.ok());
        return *outcome;
    }
    void begin(std::uint64_t end_lsn, std::int64_t time) {
        pipeline.begin(Lsn{end_lsn});
        apply(encode(pgoutput::Begin{Lsn{end_lsn - 8}, PgTimestamp{time}, pgoutput::Xid{1}}));
    }
    Progress commit(std::uint64_t end_lsn, std::int64_t time) {
        return apply(encode(pgoutput::Commit{0, Lsn{end_lsn - 8}, Lsn{end_lsn}, PgTimestamp{time}})
        );
    }

    StreamPipeline pipeline;
};

}  // namespace

TEST_CASE("a relation is asked for once and its rows reach the batch", "[replicator]") {
    Fed fed;
    fed.begin(100, 5);
    REQUIRE(std::holds_alternative<Done>(fed.apply(relation(orders, "orders"))));
    const auto row = insert(orders, "1");
    const auto needs = fed.apply(row);
    REQUIRE(std::get<NeedsTable>(needs).relation->name == "orders");
    fed.pipeline.bind(orders, orders_history());
    REQUIRE(std::holds_alternative<Done>(*fed.pipeline.resume()));
    REQUIRE(std::get<TransactionDone>(fed.commit(100, 5)).end_lsn == Lsn{100});
    fed.begin(200, 6);
    REQUIRE(std::holds_alternative<Done>(fed.apply(relation(orders, "orders"))));
    REQUIRE(fed.pipeline.builder().rows() == 1);
}

TEST_CASE("a truncate asks for each of its tables before it is applied", "[replicator]") {
    Fed fed;
    fed.begin(100, 5);
    fed.apply(relation(orders, "orders"));
    fed.apply(relation(audit, "audit"));
    const auto ids = oids({16400, 16401});
    const auto message = encode(pgoutput::Truncate{{}, 2, false, false, ids});
    REQUIRE(std::get<NeedsTable>(fed.apply(message)).relation->name == "orders");
    fed.pipeline.bind(orders, orders_history());
    REQUIRE(std::get<NeedsTable>(*fed.pipeline.resume()).relation->name == "audit");
    fed.pipeline.bind(audit, nullptr);
    REQUIRE(std::holds_alternative<Done>(*fed.pipeline.resume()));
    REQUIRE(fed.pipeline.builder().take(false).stretches.at(0).truncates.size() == 1);
}

TEST_CASE(
    "a relation that is described again, even as it was, is asked for again",
    "[replicator]"
) {
    Fed fed;
    fed.begin(100, 5);
    fed.apply(relation(orders, "orders"));
    fed.pipeline.bind(orders, orders_history());
    REQUIRE(std::holds_alternative<Done>(fed.apply(insert(orders, "1"))));
    fed.apply(relation(orders, "orders"));
    const auto second = insert(orders, "2");
    REQUIRE(std::get<NeedsTable>(fed.apply(second)).relation->name == "orders");
    fed.pipeline.bind(orders, orders_history());
    REQUIRE(std::holds_alternative<Done>(*fed.pipeline.resume()));
    fed.apply(relation(orders, "renamed"));
    const auto third = insert(orders, "3");
    REQUIRE(std::get<NeedsTable>(fed.apply(third)).relation->name == "renamed");
}

TEST_CASE("rows of an excluded table are counted and not kept", "[replicator]") {
    Fed fed;
    fed.begin(100, 5);
    fed.apply(relation(audit, "audit"));
    fed.pipeline.bind(audit, nullptr);
    fed.apply(relation(orders, "orders"));
    fed.pipeline.bind(orders, orders_history());
    fed.apply(insert(audit, "1"));
    fed.apply(insert(orders, "1"));
    fed.commit(100, 5);
    const auto batch = fed.pipeline.builder().take(false);
    REQUIRE(batch.rows == 1);
    REQUIRE(batch.stretches.at(0).tables.at(0)->versions.at(0).change_seq == 2);
}

TEST_CASE("transactions up to the checkpoint are skipped, the next one is not", "[replicator]") {
    Fed fed{Lsn{100}, PgTimestamp{50}};
    fed.begin(100, 500);
    fed.apply(relation(orders, "orders"));
    fed.pipeline.bind(orders, orders_history());
    fed.apply(insert(orders, "1"));
    REQUIRE(std::holds_alternative<Done>(fed.commit(100, 500)));
    REQUIRE_FALSE(fed.pipeline.builder().has_transactions());
    REQUIRE(fed.pipeline.last_recorded_time() == PgTimestamp{50});
    fed.begin(200, 60);
    fed.apply(insert(orders, "2"));
    REQUIRE(std::holds_alternative<TransactionDone>(fed.commit(200, 60)));
    REQUIRE(fed.pipeline.builder().rows() == 1);
}

TEST_CASE("recorded times never go back, not even below the checkpoint's", "[replicator]") {
    Fed fed{Lsn{}, PgTimestamp{50}};
    const std::pair<std::int64_t, std::int64_t> times[] = {{40, 50}, {70, 70}, {60, 70}, {71, 71}};
    std::uint64_t end_lsn = 100;
    for (const auto& [committed, recorded] : times) {
        fed.begin(end_lsn, committed);
        fed.commit(end_lsn, committed);
        REQUIRE(fed.pipeline.last_recorded_time() == PgTimestamp{recorded});
        end_lsn += 100;
    }
}

TEST_CASE("a message that cannot be decoded fails the stream", "[replicator]") {
    Fed fed;
    const auto outcome = fed.pipeline.apply(Bytes{std::byte{0x3F}});
    REQUIRE_FALSE(outcome.ok());
    REQUIRE_THAT(outcome.error().primary, Catch::Contains("could not decode"));
    REQUIRE(outcome.error().table == nullptr);
}

TEST_CASE("a commit that ends elsewhere than announced fails the stream", "[replicator]") {
    Fed fed;
    fed.begin(100, 5);
    const auto commit = encode(pgoutput::Commit{0, Lsn{92}, Lsn{101}, PgTimestamp{5}});
    REQUIRE_FALSE(fed.pipeline.apply(commit).ok());
}

TEST_CASE("a value in another form than the stream's is no table's fault", "[replicator]") {
    Fed fed;
    fed.begin(0x100, 5);
    fed.apply(relation(orders, "orders"));
    fed.pipeline.bind(orders, orders_history());
    const Row row{binary("1")};
    const auto outcome = fed.pipeline.apply(encode(pgoutput::Insert{{}, orders, row.tuple()}));
    REQUIRE_FALSE(outcome.ok());
    REQUIRE(outcome.error().table == nullptr);
}

TEST_CASE("a change that cannot be history says which one, and of which table", "[replicator]") {
    Fed fed;
    const auto table = orders_history();
    fed.begin(0x100, 5);
    fed.apply(relation(orders, "orders"));
    fed.pipeline.bind(orders, table);
    fed.apply(insert(orders, "1"));
    const auto outcome = fed.pipeline.apply(insert(orders, "1"));
    REQUIRE_FALSE(outcome.ok());
    REQUIRE(
        outcome.error().detail ==
        "a row was inserted whose key is open already: table \"public.orders\", change 2 of its"
        " transaction, finished at 0/100"
    );
    REQUIRE(outcome.error().table == table);
}
