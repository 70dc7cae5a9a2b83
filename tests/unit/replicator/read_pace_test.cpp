#include "replicator/read_pace.hpp"

#include <catch2/catch.hpp>

namespace pgchronicle::replicator {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t mebibyte = 1U << 20U;

ReadPace::Duration pause_after(bool same_host, std::uint64_t bytes, ReadPace::Duration elapsed) {
    ReadPace pace{same_host};
    pace.on_read(bytes, elapsed);
    return pace.pause();
}

}  // namespace

TEST_CASE("a step lasts as long as one mebibyte takes to come", "[replicator]") {
    CHECK(pause_after(true, mebibyte, 10ms) == 10ms);
    CHECK(pause_after(true, 2 * mebibyte, 10ms) == 5ms);
    CHECK(pause_after(true, mebibyte / 2, 5ms) == 10ms);
}

TEST_CASE("a step is neither too short to pay nor too long to wait for", "[replicator]") {
    CHECK(pause_after(true, 100 * mebibyte, 10ms) == 1ms);
    CHECK(pause_after(true, 1000, 10ms) == 20ms);
}

TEST_CASE("over a network the step is short, for the window limits the rate", "[replicator]") {
    CHECK(pause_after(false, 1000, 10ms) == 1ms);
    CHECK(pause_after(false, 100 * mebibyte, 10ms) == 1ms);
}

TEST_CASE("nothing read changes nothing", "[replicator]") {
    ReadPace pace{true};
    pace.on_read(mebibyte, 10ms);
    pace.on_read(0, 1s);
    CHECK(pace.pause() == 10ms);
}

}  // namespace pgchronicle::replicator
