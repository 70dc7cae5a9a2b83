#include "replicator/slot_commands.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::replicator;
using history_writer::WireForm;

constexpr int version_14 = 140010;
constexpr int version_15 = 150018;
constexpr int version_16 = 160004;
constexpr int version_17 = 170000;

}  // namespace

TEST_CASE("a stream starts at the checkpoint with the options of its form", "[replicator]") {
    REQUIRE(
        start_replication(
            "cdc_pgoutput",
            pgoutput::Lsn{0x1600000028},
            {{"p"}, WireForm::binary, {}, false, version_14}
        ) ==
        "START_REPLICATION SLOT \"cdc_pgoutput\" LOGICAL 16/28"
        " (proto_version '2', publication_names '\"p\"', binary 'true')"
    );
    REQUIRE(
        start_replication(
            "cdc_pgoutput", pgoutput::Lsn{1}, {{"p"}, WireForm::text, {}, false, version_16}
        ) ==
        "START_REPLICATION SLOT \"cdc_pgoutput\" LOGICAL 0/1"
        " (proto_version '4', publication_names '\"p\"')"
    );
}

TEST_CASE("several publications are a list of identifiers", "[replicator]") {
    REQUIRE_THAT(
        start_replication("s", pgoutput::Lsn{1}, {{"one", "Two"}, WireForm::text}),
        Catch::Contains("publication_names '\"one\",\"Two\"'")
    );
}

TEST_CASE("a hostile name stays a name", "[replicator]") {
    REQUIRE(
        start_replication("a\"b", pgoutput::Lsn{1}, {{"it's \"x\""}, WireForm::text}) ==
        "START_REPLICATION SLOT \"a\"\"b\" LOGICAL 0/1"
        " (proto_version '2', publication_names '\"it''s \"\"x\"\"\"')"
    );
    REQUIRE_THAT(
        create_slot("a\"b", SlotOptions{version_17}), Catch::Contains("SLOT \"a\"\"b\" LOGICAL")
    );
    REQUIRE_THAT(
        start_replication("s", pgoutput::Lsn{1}, {{R"(a\b)"}, WireForm::text}),
        Catch::Contains(R"(publication_names '"a\b"')")
    );
}

TEST_CASE("a slot is created without a snapshot, in the grammar of its server", "[replicator]") {
    REQUIRE(
        create_slot("s", SlotOptions{version_14}) ==
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput NOEXPORT_SNAPSHOT"
    );
    REQUIRE(
        create_slot("s", SlotOptions{version_15}) ==
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'nothing')"
    );
    REQUIRE(create_slot("s", SlotOptions{version_16}) == create_slot("s", SlotOptions{version_15}));
    REQUIRE(
        create_slot("s", SlotOptions{version_17}) ==
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'nothing', FAILOVER true)"
    );
    constexpr bool on_standby = true;
    REQUIRE(
        create_slot("s", SlotOptions{version_17, on_standby}) ==
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'nothing')"
    );
}

TEST_CASE("a copy of a slot is marked for failover where the server knows that", "[replicator]") {
    REQUIRE(mark_for_failover("s", SlotOptions{version_16}).empty());
    REQUIRE(
        mark_for_failover("s", SlotOptions{version_17}) ==
        "ALTER_REPLICATION_SLOT \"s\" (FAILOVER true)"
    );
    constexpr bool on_standby = true;
    REQUIRE(mark_for_failover("s", SlotOptions{version_17, on_standby}).empty());
}

TEST_CASE("a snapshot's slot is temporary and exports it", "[replicator]") {
    REQUIRE(
        create_snapshot_slot("s", version_14) ==
        "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
    );
    REQUIRE(
        create_snapshot_slot("s", version_17) ==
        "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')"
    );
}

TEST_CASE("streaming and two-phase are asked for as the server knows them", "[replicator]") {
    const auto options = [](config::Streaming streaming, bool two_phase, int version) {
        return start_replication(
            "s", pgoutput::Lsn{1}, {{"p"}, WireForm::text, streaming, two_phase, version}
        );
    };
    using config::Streaming;
    REQUIRE_THAT(
        options(Streaming::parallel, false, version_16), Catch::Contains("streaming 'parallel'")
    );
    REQUIRE_THAT(
        options(Streaming::parallel, false, version_15),
        Catch::Contains("proto_version '3'") && Catch::Contains("streaming 'on'")
    );
    REQUIRE_THAT(options(Streaming::off, true, version_15), Catch::Contains("two_phase 'on'"));
    REQUIRE_THAT(
        create_slot("s", SlotOptions{version_15, false, true}), Catch::Contains("TWO_PHASE true")
    );
}

TEST_CASE(
    "a slot that we make beside the pipeline's has a name that the server takes",
    "[replicator]"
) {
    REQUIRE(
        slot_name_of("bookmark", "Finance-2", "before.June", 0x1f) ==
        "pgchronicle_bookmark_finance_2_before_june_0000001f"
    );
    REQUIRE(slot_name_of("replay", "p", "", 0xfedcba98) == "pgchronicle_replay_p_fedcba98");
    const auto long_one = slot_name_of("bookmark", std::string(63, 'p'), std::string(63, 'n'), 1);
    REQUIRE(long_one.size() == 63);
    REQUIRE_THAT(long_one, Catch::EndsWith("_00000001"));
}
