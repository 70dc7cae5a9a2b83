#include "replicator/io/transaction_inbox.hpp"

#include "replicator/stream_error.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::replicator::io;
using pgoutput::Begin;
using pgoutput::Commit;
using pgoutput::Lsn;

const Begin begin{Lsn{100}, {}, pgoutput::Xid{7}};
const Commit commit{0, Lsn{100}, Lsn{148}, {}};

test::Bytes row(const std::string& value) {
    const test::Row cells{test::text(value)};
    return test::encode(pgoutput::Insert{{}, pgoutput::RelationId{1}, cells.tuple()});
}

/// An inbox within a transaction of these rows.
struct Filled {
    explicit Filled(const std::vector<std::string>& values) {
        (void)inbox.on(test::encode(begin));
        for (const auto& value : values) CHECK(is_part(inbox.on(row(value))));
    }
    static bool is_part(const Received& received) {
        return std::holds_alternative<PartReceived>(received);
    }

    TransactionInbox inbox{std::filesystem::temp_directory_path().string(), 1000, [](const auto&) {
                           }};
};

std::vector<test::Bytes> messages(TransactionBuffer& buffer) {
    std::vector<test::Bytes> all;
    for (auto m = buffer.next(); !m.empty(); m = buffer.next())
        all.emplace_back(m.begin(), m.end());
    return all;
}

}  // namespace

TEST_CASE("a transaction is kept until its commit", "[replicator_io]") {
    Filled filled{{"a", "b"}};
    REQUIRE(filled.inbox.kept());
    CHECK(filled.inbox.kept()->final_lsn == begin.final_lsn);
    CHECK(filled.inbox.received_messages() == 2);
    const auto received = filled.inbox.on(test::encode(commit));
    const auto* const whole = std::get_if<WholeTransaction>(&received);
    REQUIRE(whole);
    CHECK(whole->commit.end_lsn == commit.end_lsn);
    CHECK(messages(*whole->messages) == std::vector<test::Bytes>{row("a"), row("b")});
    CHECK_FALSE(filled.inbox.kept());
}

TEST_CASE("a transaction that is handed out early goes on as it comes", "[replicator_io]") {
    const std::string large(2000, 'x');  // More than the memory: what was kept is in a file.
    Filled filled{{"a", large}};
    const auto early = filled.inbox.hand_out(commit.end_lsn);
    CHECK(early.begin.xid == begin.xid);
    CHECK(early.commit.end_lsn == commit.end_lsn);
    CHECK(messages(*early.messages) == std::vector<test::Bytes>{row("a"), row(large)});
    CHECK_FALSE(filled.inbox.kept());
    CHECK(filled.inbox.receiving());

    const auto next = row("c");
    const auto received = filled.inbox.on(next);
    const auto* const message = std::get_if<MessageComes>(&received);
    REQUIRE(message);
    CHECK(std::ranges::equal(message->payload, next));

    const auto end = filled.inbox.on(test::encode(commit));
    REQUIRE(std::holds_alternative<CommitComes>(end));
    CHECK(std::get<CommitComes>(end).commit.end_lsn == commit.end_lsn);
    CHECK_FALSE(filled.inbox.receiving());
}

TEST_CASE("the transaction after one that was handed out early is kept again", "[replicator_io]") {
    Filled filled{{"a"}};
    (void)filled.inbox.hand_out(commit.end_lsn);
    (void)filled.inbox.on(test::encode(commit));
    (void)filled.inbox.on(test::encode(Begin{Lsn{200}, {}, pgoutput::Xid{8}}));
    CHECK(Filled::is_part(filled.inbox.on(row("b"))));
    const auto received = filled.inbox.on(test::encode(Commit{0, Lsn{200}, Lsn{248}, {}}));
    const auto* const whole = std::get_if<WholeTransaction>(&received);
    REQUIRE(whole);
    CHECK(messages(*whole->messages) == std::vector<test::Bytes>{row("b")});
}

TEST_CASE("nothing is kept between transactions, nor of one that is streamed", "[replicator_io]") {
    Filled filled{{"a"}};
    (void)filled.inbox.on(test::encode(commit));
    CHECK_FALSE(filled.inbox.kept());
    (void)filled.inbox.on(test::encode(pgoutput::StreamStart{pgoutput::Xid{9}, true}));
    CHECK_FALSE(filled.inbox.kept());
}

TEST_CASE("a commit without its PREPARE is passed over if it is stored", "[replicator_io]") {
    // The stream begins between the two for the sake of another transaction that is prepared.
    TransactionInbox inbox{
        std::filesystem::temp_directory_path().string(), 1000, [](const auto&) {}, Lsn{148}};
    const auto committed = [](Lsn end) {
        return test::encode(pgoutput::CommitPrepared{0, Lsn{100}, end, {}, pgoutput::Xid{7}, "g"});
    };
    CHECK(Filled::is_part(inbox.on(committed(Lsn{148}))));
    CHECK_THROWS_AS(inbox.on(committed(Lsn{149})), replicator::NeedsOperator);
}

TEST_CASE("a transaction that was prepared says where", "[replicator_io]") {
    Filled empty{{}};
    (void)empty.inbox.on(test::encode(commit));
    using namespace pgoutput;
    (void)empty.inbox.on(test::encode(BeginPrepare{Lsn{200}, Lsn{210}, {}, Xid{8}, "g"}));
    CHECK(Filled::is_part(empty.inbox.on(row("a"))));
    (void)empty.inbox.on(test::encode(Prepare{0, Lsn{200}, Lsn{210}, {}, Xid{8}, "g"}));
    CHECK(empty.inbox.oldest_prepare() == Lsn{200});
    const auto received =
        empty.inbox.on(test::encode(CommitPrepared{0, Lsn{300}, Lsn{348}, {}, Xid{8}, "g"}));
    const auto* const whole = std::get_if<WholeTransaction>(&received);
    REQUIRE(whole);
    CHECK(whole->prepare_lsn == Lsn{200});
    CHECK_FALSE(empty.inbox.oldest_prepare());
}
