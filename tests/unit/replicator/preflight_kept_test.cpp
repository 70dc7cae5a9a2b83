#include "replicator/preflight.hpp"
#include "tests/unit/replicator/good_facts.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::test;
using history_writer::KeptSlot;
using Purpose = KeptSlot::Purpose;

namespace {

source_catalog::Slot slot(const std::string& name, const std::string& wal_status = "reserved") {
    source_catalog::Slot made;
    made.name = name;
    made.wal_status = wal_status;
    made.restart_lsn = Lsn{4000};
    return made;
}

/// `good`, with slots beside the pipeline's own, all of which are known and there.
Facts with(std::initializer_list<KeptSlot> kept) {
    Facts facts = good();
    for (const auto& one : kept) {
        facts.target->kept_slots.push_back(one);
        facts.source->made_slots.push_back(slot(one.slot));
    }
    return facts;
}

KeptSlot bookmark(std::optional<Lsn> position = Lsn{900}) {
    return {Purpose::bookmark, "finance", "june", "pgchronicle_bookmark_finance_june_1", position};
}

KeptSlot replay(const std::string& pipeline = "finance") {
    return {Purpose::replay, pipeline, "", "pgchronicle_replay_finance_2", Lsn{900}};
}

}  // namespace

TEST_CASE("bookmarks that can be used are no problem", "[preflight]") {
    CHECK(preflight(with({bookmark()})).empty());
}

TEST_CASE("a bookmark that is of no use is told, with how to be rid of it", "[preflight]") {
    Facts facts = with({bookmark()});
    facts.source->made_slots.front().wal_status = "lost";
    CHECK(has(only(facts).detail, "is lost"));
    facts.source->made_slots.clear();
    CHECK(only(facts).severity == Severity::warning);
    CHECK(has(only(facts).detail, "is gone"));
    CHECK(has(only(facts).hint, "bookmark drop june"));
    CHECK(has(only(with({bookmark(std::nullopt)})).what, "was never finished"));
}

TEST_CASE("a replay that is under way explains the checkpoint behind the slot", "[preflight]") {
    Facts facts = with({replay()});
    facts.target->checkpoint = checkpoint_at(900);
    CHECK(only(facts).severity == Severity::note);
    CHECK(has(only(facts).what, "replay from 0/384 is under way"));

    facts.source->made_slots.clear();
    CHECK(only(facts).severity == Severity::fatal);
    CHECK(has(only(facts).what, "of the replay is gone"));

    // One that has not set anything back yet explains nothing.
    facts = with({replay()});
    facts.target->checkpoint = checkpoint_at(900);
    facts.target->kept_slots.front().position.reset();
    CHECK(has(only(facts).what, "slot is ahead of the checkpoint"));
}

TEST_CASE("a copy that is not finished is told with the WAL that it keeps", "[preflight]") {
    Facts facts = with({replay("finance/proof")});
    facts.source->server.flush_lsn = Lsn{4000 + (7U << 20U)};
    CHECK(has(only(facts).what, "schema \"proof\" is not finished"));
    CHECK(has(only(facts).detail, "7 MiB"));
    CHECK(has(only(facts).mending_sql, "pg_drop_replication_slot('pgchronicle_replay_finance_2')"));
    // Without its slot nothing is kept; another pipeline's is not ours to judge.
    facts.source->made_slots.clear();
    CHECK(preflight(facts).empty());
    CHECK(preflight(with({replay("sales/proof")})).empty());
}

TEST_CASE("a slot with our names that nobody knows is told", "[preflight]") {
    Facts facts = good();
    facts.source->made_slots = {slot("pgchronicle_bookmark_finance_june_00000001")};
    CHECK(has(only(facts).what, "is of no bookmark or replay here"));
    facts.source->made_slots = {slot("pgchronicle_replay_finance_00000001")};
    CHECK(has(only(facts).what, "is of no bookmark or replay here"));
    facts.source->made_slots = {slot("pgchronicle_bookmark_sales_june_00000001")};
    CHECK(preflight(facts).empty());
}

TEST_CASE("a window that max_slot_wal_keep_size does not leave room for is told", "[preflight]") {
    Facts facts = good();
    facts.settings.acknowledge.hold_back.bytes = 1023U << 20U;
    CHECK(preflight(facts).empty());
    facts.settings.acknowledge.hold_back.bytes = 1024U << 20U;
    CHECK(has(only(facts).what, "hold_back leaves nothing"));
}
