#include "replicator/batch_policy.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using pgchronicle::replicator::BatchPolicy;
using pgchronicle::replicator::Clock;

const Clock::time_point t0{Clock::duration{1h}};

BatchPolicy make_policy() {
    return BatchPolicy{{.delay_max = 50ms, .rows_max = 100, .bytes_max = 1000}};
}

}  // namespace

TEST_CASE(
    "a lightly loaded batch is handed over as soon as nothing is left to read",
    "[replicator]"
) {
    auto policy = make_policy();
    policy.on_rows(1, t0);
    REQUIRE(policy.hand_over({.rows = 1, .writer_idle = true, .drained = true}, t0));
    REQUIRE_FALSE(policy.hand_over({.rows = 1, .writer_idle = true, .drained = false}, t0));
}

TEST_CASE("nothing is handed over while the writer is busy", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(500, t0);
    REQUIRE_FALSE(policy.hand_over({.rows = 500, .writer_idle = false, .drained = true}, t0 + 1s));
}

TEST_CASE("a batch without rows is not handed over", "[replicator]") {
    auto policy = make_policy();
    REQUIRE_FALSE(policy.hand_over({.writer_idle = true, .drained = true}, t0));
    policy.on_rows(1, t0);
    policy.on_handed_over();
    REQUIRE_FALSE(policy.hand_over({.writer_idle = true, .drained = true}, t0 + 1s));
    REQUIRE(policy.deadline() == std::nullopt);
}

TEST_CASE("a batch waits no longer than the delay, counted from its first row", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(1, t0);
    policy.on_rows(2, t0 + 30ms);
    const BatchPolicy::State state{.rows = 2, .writer_idle = true, .drained = false};
    REQUIRE(policy.deadline() == t0 + 50ms);
    REQUIRE_FALSE(policy.hand_over(state, t0 + 49ms));
    REQUIRE(policy.hand_over(state, t0 + 50ms));
}

TEST_CASE("fewer rows than the last batch had start a delay of their own", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(100, t0);
    policy.on_handed_over();
    policy.on_rows(5, t0 + 10ms);
    REQUIRE(policy.deadline() == t0 + 60ms);
    REQUIRE(policy.hand_over({.rows = 5, .writer_idle = true, .drained = true}, t0 + 10ms));
}

TEST_CASE("rows that are taken back or still there are not counted again", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(1, t0);
    for (int i = 1; i <= 100; ++i) policy.on_rows(400, t0 + i * 1ms);
    policy.on_rows(399, t0 + 101ms);
    REQUIRE_FALSE(policy.busy(t0 + 101ms));  // 400 rows in 100 ms, however often they are told of.
    REQUIRE(policy.deadline() == t0 + 50ms);
}

TEST_CASE("a batch is full by rows or by bytes, and overfull at twice that", "[replicator]") {
    auto policy = make_policy();
    REQUIRE_FALSE(policy.full({.rows = 99, .bytes = 999}));
    REQUIRE(policy.full({.rows = 100}));
    REQUIRE(policy.full({.bytes = 1000}));
    REQUIRE_FALSE(policy.overfull({.rows = 199, .bytes = 1999}));
    REQUIRE(policy.overfull({.rows = 200}));
    REQUIRE(policy.overfull({.bytes = 2000}));
    policy.on_rows(100, t0);
    REQUIRE(policy.hand_over({.rows = 100, .writer_idle = true, .drained = false}, t0));
}

TEST_CASE("a batch that is closed is full, and no transaction is cut for it", "[replicator]") {
    auto policy = make_policy();
    REQUIRE(policy.full({.closed = true}));
    REQUIRE_FALSE(policy.overfull({.closed = true}));
    policy.on_rows(1, t0);
    REQUIRE(policy.hand_over({.rows = 1, .writer_idle = true, .closed = true}, t0));
    REQUIRE_FALSE(policy.hand_over({.rows = 1, .writer_idle = false, .closed = true}, t0));
}

TEST_CASE("a loaded batch grows for the delay although nothing is left to read", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(1, t0);
    policy.on_rows(2001, t0 + 100ms);  // 20,000 rows a second.
    REQUIRE(policy.busy(t0 + 100ms));
    policy.on_handed_over();
    policy.on_rows(1, t0 + 110ms);
    const BatchPolicy::State state{.rows = 1, .writer_idle = true, .drained = true};
    REQUIRE_FALSE(policy.hand_over(state, t0 + 111ms));
    REQUIRE(policy.hand_over(state, t0 + 160ms));
}

TEST_CASE("a load that is over does not delay the next row", "[replicator]") {
    auto policy = make_policy();
    policy.on_rows(1, t0);
    policy.on_rows(2001, t0 + 100ms);
    policy.on_handed_over();
    REQUIRE_FALSE(policy.busy(t0 + 300ms));
    policy.on_rows(1, t0 + 300ms);
    REQUIRE(policy.hand_over({.rows = 1, .writer_idle = true, .drained = true}, t0 + 300ms));
}
