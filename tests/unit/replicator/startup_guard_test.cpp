#include "replicator/startup_guard.hpp"

#include "replicator/stream_error.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::replicator;
using pgoutput::Lsn;

/// A pipeline that has run before and may go on.
StartupFacts healthy() {
    StartupFacts facts;
    facts.pipeline = "finance";
    facts.slot_name = "cdc_pgoutput";
    facts.publication_names = {"cdc_publication"};
    facts.server.system_identifier = "7000000000000000001";
    facts.server.timeline = 1;
    facts.server.database = "finance_db";
    facts.server.wal_level = "logical";
    facts.server.flush_lsn = Lsn{900};
    source_catalog::Slot slot;
    slot.name = "cdc_pgoutput";
    slot.plugin = "pgoutput";
    slot.database = "finance_db";
    slot.confirmed_flush_lsn = Lsn{400};
    slot.wal_status = "reserved";
    facts.slot = slot;
    facts.publications = {{.name = "cdc_publication"}};
    history_writer::Checkpoint checkpoint;
    checkpoint.source = {
        "7000000000000000001", 1, "finance_db", "cdc_pgoutput", {"cdc_publication"}};
    checkpoint.position = Lsn{500};
    facts.checkpoint = checkpoint;
    facts.history_empty = false;
    return facts;
}

/// The same before its first run.
StartupFacts fresh() {
    auto facts = healthy();
    facts.checkpoint.reset();
    facts.history_empty = true;
    return facts;
}

struct Refusal {
    std::string primary;
    std::string detail;
    std::string hint;
};

Refusal refusal_of(const StartupFacts& facts) {
    try {
        static_cast<void>(check_startup(facts));
    } catch (const NeedsOperator& error) {
        return {error.what(), error.detail(), error.hint()};
    }
    FAIL("start-up was not refused");
    return {};
}

}  // namespace

TEST_CASE("a checkpoint that fits its source goes on", "[replicator]") {
    REQUIRE(check_startup(healthy()) == Startup::go_on);
}

TEST_CASE("a checkpoint exactly at the slot, or at the end of the WAL, goes on", "[replicator]") {
    auto facts = healthy();
    facts.slot->confirmed_flush_lsn = facts.checkpoint->position;
    REQUIRE(check_startup(facts) == Startup::go_on);
    facts.server.flush_lsn = facts.checkpoint->position;
    REQUIRE(check_startup(facts) == Startup::go_on);
}

TEST_CASE("no checkpoint beside an empty history is a first run", "[replicator]") {
    REQUIRE(check_startup(fresh()) == Startup::first_run);
}

TEST_CASE(
    "a missing slot is created at the first run only, and only where allowed",
    "[replicator]"
) {
    auto facts = fresh();
    facts.slot.reset();
    facts.may_create_slot = true;
    REQUIRE(check_startup(facts) == Startup::create_slot);
    facts.may_create_slot = false;
    REQUIRE(refusal_of(facts).primary == "replication slot \"cdc_pgoutput\" does not exist");
    REQUIRE_THAT(refusal_of(facts).hint, Catch::Contains("pg_create_logical_replication_slot"));

    facts = healthy();
    facts.slot.reset();
    facts.may_create_slot = true;
    REQUIRE_THAT(refusal_of(facts).detail, Catch::Contains("The checkpoint is at 0/1F4;"));
}

TEST_CASE("a missing checkpoint beside a history is refused", "[replicator]") {
    auto facts = fresh();
    facts.history_empty = false;
    REQUIRE(
        refusal_of(facts).primary ==
        "checkpoint of pipeline \"finance\" is missing beside its history"
    );
}

TEST_CASE("a checkpoint of another source is refused with both values", "[replicator]") {
    const auto detail_of = [](auto change) {
        auto facts = healthy();
        change(facts.checkpoint->source);
        const auto refusal = refusal_of(facts);
        REQUIRE(refusal.primary == "checkpoint of pipeline \"finance\" belongs to another source");
        return refusal.detail;
    };
    using Identity = history_writer::SourceIdentity;
    REQUIRE(detail_of([](Identity& i) {
                i.system_identifier = "42";
            }) == "The checkpoint's system identifier is 42, the source's is 7000000000000000001.");
    REQUIRE(detail_of([](Identity& i) {
                i.timeline = 7;
            }) == "The checkpoint's timeline is 7, the source's is 1.");
    REQUIRE(detail_of([](Identity& i) {
                i.database = "other";
            }) == "The checkpoint's database is \"other\", the source's is \"finance_db\".");
    REQUIRE(detail_of([](Identity& i) {
                i.slot = "old";
            }) == "The checkpoint's slot is \"old\", the source's is \"cdc_pgoutput\".");
    REQUIRE_THAT(
        detail_of([](Identity& i) {
            i.database = "other";
            i.slot = "old";
        }),
        Catch::Contains("database is \"other\"") && Catch::Contains(". The checkpoint's slot")
    );
}

TEST_CASE("a publication that is not configured any more is refused", "[replicator]") {
    auto facts = healthy();
    facts.checkpoint->source.publications = {"cdc_publication", "cdc_more"};
    const auto refusal = refusal_of(facts);
    REQUIRE(refusal.primary == "publication \"cdc_more\" is not configured any more");
    REQUIRE_THAT(
        refusal.detail,
        Catch::Contains("was written with \"cdc_publication\", \"cdc_more\", and") &&
            Catch::Contains("source.publication names \"cdc_publication\":")
    );
}

TEST_CASE("a publication that joins is accepted, in any place", "[replicator]") {
    auto facts = healthy();
    facts.publication_names = {"cdc_more", "cdc_publication"};
    facts.publications.push_back({.name = "cdc_more"});
    REQUIRE(check_startup(facts) == Startup::go_on);
}

TEST_CASE("a slot that pgoutput cannot read is refused", "[replicator]") {
    for (const auto& start : {healthy(), fresh()}) {
        auto facts = start;
        facts.slot->plugin = "test_decoding";
        REQUIRE_THAT(refusal_of(facts).detail, Catch::Contains("\"test_decoding\""));
        facts = start;
        facts.slot->database = "postgres";
        REQUIRE_THAT(refusal_of(facts).primary, Catch::Contains("belongs to another database"));
    }
}

TEST_CASE(
    "a slot that lost its WAL is refused, and says why where the server does",
    "[replicator]"
) {
    auto facts = healthy();
    facts.slot->wal_status = "lost";
    REQUIRE(refusal_of(facts).primary == "replication slot \"cdc_pgoutput\" is lost");
    facts.slot->wal_status = "reserved";
    facts.slot->invalidation_reason = "wal_removed";
    REQUIRE_THAT(refusal_of(facts).detail, Catch::Contains("(wal_removed)"));
}

TEST_CASE("a slot ahead of the checkpoint is refused with both positions", "[replicator]") {
    auto facts = healthy();
    facts.slot->confirmed_flush_lsn = Lsn{501};
    const auto refusal = refusal_of(facts);
    REQUIRE_THAT(refusal.primary, Catch::Contains("slot is ahead of the checkpoint"));
    REQUIRE_THAT(refusal.detail, Catch::Contains("0/1F4") && Catch::Contains("0/1F5"));
}

TEST_CASE("a checkpoint ahead of the source is refused with both positions", "[replicator]") {
    auto facts = healthy();
    facts.server.flush_lsn = Lsn{499};
    const auto refusal = refusal_of(facts);
    REQUIRE_THAT(refusal.primary, Catch::Contains("checkpoint is ahead of the source"));
    REQUIRE_THAT(refusal.detail, Catch::Contains("0/1F4") && Catch::Contains("0/1F3"));
}

TEST_CASE("a publication that is missing is refused", "[replicator]") {
    auto facts = healthy();
    facts.publication_names.emplace_back("second");
    REQUIRE(refusal_of(facts).primary == "publication \"second\" does not exist");
    facts = fresh();
    facts.publications.clear();
    REQUIRE(refusal_of(facts).primary == "publication \"cdc_publication\" does not exist");
}

TEST_CASE("a publication that leaves an operation out is refused", "[replicator]") {
    using source_catalog::Publication;
    for (auto operation :
         {&Publication::inserts,
          &Publication::updates,
          &Publication::deletes,
          &Publication::truncates}) {
        auto facts = healthy();
        facts.publications.front().*operation = false;
        const auto refusal = refusal_of(facts);
        REQUIRE_THAT(refusal.primary, Catch::Contains("does not publish every operation"));
        REQUIRE_THAT(refusal.hint, Catch::StartsWith("ALTER PUBLICATION \"cdc_publication\" SET"));
    }
}

namespace {

using Change = void (*)(StartupFacts&);

/// Each way to lose a slot.
constexpr Change losses[] = {
    [](StartupFacts& facts) { facts.slot.reset(); },
    [](StartupFacts& facts) { facts.slot->wal_status = "lost"; },
    [](StartupFacts& facts) { facts.slot->invalidation_reason = "wal_removed"; },
    [](StartupFacts& facts) { facts.slot->confirmed_flush_lsn = Lsn{501}; },
};

}  // namespace

TEST_CASE("a lost slot is reconciled where that is allowed, and only then", "[replicator]") {
    for (const auto& lose : losses) {
        auto facts = healthy();
        lose(facts);
        REQUIRE_FALSE(slot_loss(facts).empty());
        REQUIRE_THAT(refusal_of(facts).hint, Catch::Contains("source.on_slot_lost: reconcile"));
        facts.may_reconcile = true;
        REQUIRE(check_startup(facts) == Startup::reconcile);
    }
    auto facts = healthy();
    facts.may_reconcile = true;
    REQUIRE(slot_loss(facts).empty());
    REQUIRE(check_startup(facts) == Startup::go_on);
}

TEST_CASE("without a checkpoint there is nothing to reconcile with", "[replicator]") {
    auto facts = fresh();
    facts.may_reconcile = true;
    REQUIRE(check_startup(facts) == Startup::first_run);
    facts.slot->wal_status = "lost";
    REQUIRE(refusal_of(facts).primary == "replication slot \"cdc_pgoutput\" is lost");
    facts.slot.reset();
    REQUIRE(refusal_of(facts).primary == "replication slot \"cdc_pgoutput\" does not exist");
}

TEST_CASE("what another slot would not mend is refused however a slot is lost", "[replicator]") {
    const auto refused = [](Change spoil, const std::string& primary) {
        for (const auto& lose : losses) {
            auto facts = healthy();
            facts.may_reconcile = true;
            lose(facts);
            spoil(facts);
            REQUIRE_THAT(refusal_of(facts).primary, Catch::Contains(primary));
        }
    };
    refused([](StartupFacts& f) { f.server.system_identifier = "42"; }, "another source");
    refused([](StartupFacts& f) { f.server.timeline = 2; }, "another source");
    refused([](StartupFacts& f) { f.publications.clear(); }, "publication \"cdc_publication\"");
    refused([](StartupFacts& f) { f.server.flush_lsn = Lsn{499}; }, "is ahead of the source");
    refused([](StartupFacts& f) { f.server.wal_level = "replica"; }, "wal_level of the source");
}

TEST_CASE("a slot of another kind is never taken for a lost one", "[replicator]") {
    auto facts = healthy();
    facts.may_reconcile = true;
    facts.slot->wal_status = "lost";
    facts.slot->plugin = "test_decoding";
    REQUIRE_THAT(refusal_of(facts).primary, Catch::Contains("cannot be read"));
    facts.slot->plugin = "pgoutput";
    facts.slot->database = "postgres";
    REQUIRE_THAT(refusal_of(facts).primary, Catch::Contains("belongs to another database"));
}

TEST_CASE("a slot that is ahead of the source itself is refused", "[replicator]") {
    auto facts = healthy();
    facts.may_reconcile = true;
    facts.slot->confirmed_flush_lsn = Lsn{901};
    REQUIRE(refusal_of(facts).primary == "slot is ahead of the source");
}
