#include "replicator/stream_refusal.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::replicator;

constexpr const char* undefined_object = "42704";
constexpr const char* wrong_state = "55000";

/// A slot and a publication that are well.
RefusalFacts facts_of(const char* sqlstate) {
    RefusalFacts facts;
    facts.sqlstate = sqlstate;
    facts.primary = "something is wrong";
    facts.slot_name = "cdc_pgoutput";
    facts.slot.emplace();
    facts.slot->name = facts.slot_name;
    facts.slot->wal_status = "reserved";
    facts.publication_names = {"cdc_publication"};
    facts.publications.emplace_back();
    facts.publications.back().name = "cdc_publication";
    return facts;
}

std::string primary_of(const RefusalFacts& facts) {
    const auto refusal = explain_refusal(facts);
    REQUIRE(refusal);
    REQUIRE_FALSE(refusal->detail().empty());
    REQUIRE_FALSE(refusal->hint().empty());
    return refusal->what();
}

}  // namespace

TEST_CASE("a slot is lost when the catalog says so, and only then", "[replicator]") {
    auto facts = facts_of(wrong_state);
    REQUIRE_FALSE(explain_refusal(facts));
    facts.slot->wal_status = "unreserved";
    REQUIRE_FALSE(explain_refusal(facts));
    facts.slot->wal_status = "lost";
    REQUIRE(primary_of(facts) == "replication slot \"cdc_pgoutput\" is lost");
    facts.slot->wal_status = "reserved";
    facts.slot->invalidation_reason = "idle_timeout";
    REQUIRE(primary_of(facts) == "replication slot \"cdc_pgoutput\" is lost");
    REQUIRE_THAT(explain_refusal(facts)->detail(), Catch::Contains("(idle_timeout)"));
}

TEST_CASE("a slot that has gone is said to be gone, whatever the code", "[replicator]") {
    for (const auto* sqlstate : {undefined_object, wrong_state, "58P01"}) {
        auto facts = facts_of(sqlstate);
        facts.slot.reset();
        REQUIRE(primary_of(facts) == "replication slot \"cdc_pgoutput\" does not exist");
    }
}

TEST_CASE("a publication that has gone is named", "[replicator]") {
    auto facts = facts_of(undefined_object);
    facts.publication_names.emplace_back("second");
    REQUIRE(primary_of(facts) == "publication \"second\" does not exist");
    REQUIRE_THAT(explain_refusal(facts)->hint(), Catch::StartsWith("Create it again"));
}

TEST_CASE("old changes are passed by repair skip when the publication is there", "[replicator]") {
    const auto facts = facts_of(undefined_object);
    REQUIRE(primary_of(facts) == "replication slot cannot be read: something is wrong");
    REQUIRE_THAT(explain_refusal(facts)->hint(), Catch::Contains("repair skip"));
}

TEST_CASE("any other error of the stream speaks for itself", "[replicator]") {
    auto facts = facts_of("42501");
    REQUIRE_FALSE(explain_refusal(facts));
    facts.publications.clear();
    REQUIRE_FALSE(explain_refusal(facts));
}
