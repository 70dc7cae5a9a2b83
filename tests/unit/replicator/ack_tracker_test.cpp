#include "replicator/ack_tracker.hpp"

#include <catch2/catch.hpp>

namespace {

using pgchronicle::pgoutput::Lsn;
using pgchronicle::replicator::AckTracker;

}  // namespace

TEST_CASE("nothing is acknowledged before something is known to be flushed", "[replicator]") {
    AckTracker acks{Lsn{100}};
    REQUIRE(acks.received() == Lsn{100});
    REQUIRE_FALSE(acks.flushed().valid());
    acks.on_received(Lsn{500});
    REQUIRE(acks.received() == Lsn{500});
    REQUIRE_FALSE(acks.flushed().valid());
}

TEST_CASE("what is received and what is flushed never move back", "[replicator]") {
    AckTracker acks{Lsn{100}};
    acks.on_received(Lsn{500});
    acks.on_received(Lsn{300});
    acks.on_flushed(Lsn{400});
    acks.on_flushed(Lsn{100});
    REQUIRE(acks.received() == Lsn{500});
    REQUIRE(acks.flushed() == Lsn{400});
}

TEST_CASE("the checkpoint's own position may be acknowledged once it is flushed", "[replicator]") {
    AckTracker acks{Lsn{100}};
    acks.on_flushed(Lsn{100});
    REQUIRE(acks.flushed() == Lsn{100});
}

TEST_CASE(
    "a prepared transaction is held at its PREPARE until its commit is flushed",
    "[replicator]"
) {
    AckTracker acks{Lsn{100}};
    acks.on_received(Lsn{500});
    acks.on_flushed(Lsn{300});
    acks.on_commit_prepared(Lsn{200}, Lsn{400});
    REQUIRE(acks.flushed() == Lsn{300});
    REQUIRE(acks.acknowledgeable() == Lsn{200});
    acks.on_flushed(Lsn{350});
    REQUIRE(acks.acknowledgeable() == Lsn{200});
    acks.on_flushed(Lsn{400});
    REQUIRE(acks.acknowledgeable() == Lsn{400});
    // One that was stored before holds nothing.
    acks.on_commit_prepared(Lsn{210}, Lsn{390});
    REQUIRE(acks.acknowledgeable() == Lsn{400});
}
