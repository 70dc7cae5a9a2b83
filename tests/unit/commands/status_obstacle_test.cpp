#include "commands/status_obstacle.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::commands;
using pgoutput::Lsn;

namespace {

/// A pipeline that was stopped in order.
RunFacts stopped() {
    RunFacts facts;
    auto& startup = facts.startup;
    startup.pipeline = "finance";
    startup.slot_name = "cdc";
    startup.publication_names = {"pub"};
    startup.publications = {{.name = "pub"}};
    startup.history_empty = false;
    startup.server.system_identifier = "7";
    startup.server.timeline = 1;
    startup.server.database = "db";
    startup.server.flush_lsn = Lsn{1000};
    startup.slot.emplace();
    startup.slot->name = "cdc";
    startup.slot->plugin = "pgoutput";
    startup.slot->database = "db";
    startup.slot->confirmed_flush_lsn = Lsn{500};
    startup.slot->wal_status = "reserved";
    startup.checkpoint.emplace();
    startup.checkpoint->source = {"7", 1, "db", "cdc", {"pub"}};
    startup.checkpoint->position = Lsn{500};
    return facts;
}

}  // namespace

TEST_CASE("nothing stops a pipeline that was stopped in order", "[commands]") {
    CHECK(obstacle_of(stopped(), true).empty());
    CHECK(obstacle_of(stopped(), false).empty());
}

TEST_CASE("a lost slot is named, where the source was asked", "[commands]") {
    auto facts = stopped();
    facts.startup.slot->wal_status = "lost";
    CHECK(obstacle_of(facts, true) == "replication slot \"cdc\" is lost");
    CHECK(obstacle_of(facts, false).empty());
    facts.startup.slot->wal_status = "reserved";
    facts.startup.slot->invalidation_reason = "idle_timeout";
    CHECK(obstacle_of(facts, true) == "replication slot \"cdc\" is lost");
}

TEST_CASE("a slot that run makes is none yet, one that it must find is missing", "[commands]") {
    auto facts = stopped();
    facts.startup.checkpoint.reset();
    facts.startup.slot.reset();
    CHECK(
        obstacle_of(facts, false) ==
        "checkpoint of pipeline \"finance\" is missing beside its history"
    );
    facts.startup.history_empty = true;
    facts.startup.may_create_slot = true;
    CHECK(obstacle_of(facts, true).empty());
    facts.startup.may_create_slot = false;
    CHECK(obstacle_of(facts, true) == "replication slot \"cdc\" does not exist");
}

TEST_CASE("a replay reads a slot of its own, until it is over", "[commands]") {
    auto facts = stopped();
    facts.startup.checkpoint->position = Lsn{400};
    CHECK(obstacle_of(facts, true).starts_with("slot is ahead of the checkpoint"));
    facts.replay = history_writer::pg::Replay{"again", Lsn{300}, Lsn{450}};
    CHECK(obstacle_of(facts, true) == "slot \"again\" of the replay is gone");
    facts.replay_slot = facts.startup.slot;
    facts.replay_slot->confirmed_flush_lsn = Lsn{300};
    CHECK(obstacle_of(facts, true).empty());
    facts.replay_slot->wal_status = "lost";
    CHECK(obstacle_of(facts, true) == "slot \"again\" of the replay is lost");
    facts.startup.checkpoint->position = Lsn{500};
    CHECK(obstacle_of(facts, true).empty());
}

TEST_CASE("a table that no publication has is named last", "[commands]") {
    auto facts = stopped();
    facts.withdrawn = "operations.t";
    CHECK(obstacle_of(facts, true) == "table \"operations.t\" is not published any more");
    facts.startup.slot.reset();
    CHECK(obstacle_of(facts, true) == "replication slot \"cdc\" does not exist");
}
