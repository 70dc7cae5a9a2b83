#include "replicator/io/transaction_inbox.hpp"
#include "tests/support/counted_memory.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <memory>

// A row waits for its commit; memory is asked for until the buffer has grown, and then no more.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;
using pgoutput::Lsn;
using replicator::io::TransactionInbox;
using replicator::io::WholeTransaction;

constexpr pgoutput::RelationId relation_id{16400};

/// Allocations while one transaction is received and read again.
std::uint64_t receive(TransactionInbox& inbox, const std::vector<Bytes>& messages) {
    std::size_t read = 0;
    const auto before = allocations.load();
    for (const auto& message : messages) {
        const auto received = inbox.on(message);
        const auto* const whole = std::get_if<WholeTransaction>(&received);
        if (whole == nullptr) continue;
        while (!whole->messages->next().empty()) ++read;
    }
    const auto counted = allocations.load() - before;
    REQUIRE(read == messages.size() - 2);
    return counted;
}

}  // namespace

TEST_CASE("the counter sees the session's allocations", "[replicator_io]") {
    const auto before = allocations.load();
    const auto made = std::make_unique<int>(1);
    REQUIRE(allocations.load() > before);
    REQUIRE(*made == 1);
}

TEST_CASE("rows that wait for their commit ask for no memory once they did", "[replicator_io]") {
    constexpr int rows = 200;
    const Row row{text("1"), text("a value that is longer than a small string")};
    const Row key{text("1"), null()};
    const Lsn start{1000};
    const Lsn end{1008};
    const pgoutput::PgTimestamp time{1};
    std::vector<Bytes> messages{encode(pgoutput::Begin{start, time, pgoutput::Xid{1}})};
    for (int i = 0; i < rows; ++i) {
        messages.push_back(encode(pgoutput::Insert{{}, relation_id, row.tuple()}));
        messages.push_back(encode(pgoutput::Update{{}, relation_id, {}, {}, row.tuple()}));
        messages.push_back(encode(pgoutput::Delete{
            {}, relation_id, pgoutput::OldTupleKind::key, key.tuple()}));
    }
    messages.push_back(encode(pgoutput::Commit{0, start, end, time}));

    TransactionInbox inbox{".", 1U << 20U, [](const pgoutput::RelationMessage&) {}};
    REQUIRE(receive(inbox, messages) > 0);
    REQUIRE(receive(inbox, messages) == 0);
}
