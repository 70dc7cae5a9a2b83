#include "replicator/hold_back.hpp"

#include <catch2/catch.hpp>

namespace pgchronicle::replicator {

using namespace std::chrono_literals;

namespace {

const HoldBack::TimePoint start{1000h};

}  // namespace

TEST_CASE("nothing is held back unless it is asked for", "[hold_back]") {
    HoldBack none;
    none.on_flushed(Lsn{500}, start);
    CHECK_FALSE(none.active());
    CHECK(none.acknowledgeable(Lsn{500}, start) == Lsn{500});
}

TEST_CASE("a window of bytes follows the flushed position", "[hold_back]") {
    const HoldBack bytes{{.bytes = 100}, Lsn{50}, {}};
    CHECK(bytes.acknowledgeable(Lsn{500}, start) == Lsn{400});
    CHECK(bytes.acknowledgeable(Lsn{501}, start) == Lsn{401});
}

TEST_CASE(
    "the slot is never told to go back, nor anything before a flush is known",
    "[hold_back]"
) {
    const HoldBack bytes{{.bytes = 100}, Lsn{450}, {}};
    CHECK(bytes.acknowledgeable(Lsn{500}, start) == Lsn{450});
    CHECK(bytes.acknowledgeable(Lsn{0}, start) == Lsn{0});
    CHECK(HoldBack{{.bytes = 900}, Lsn{0}, {}}.acknowledgeable(Lsn{500}, start) == Lsn{0});
}

TEST_CASE("a window of time releases what was flushed that long ago", "[hold_back]") {
    HoldBack time{{.time = 10s}, Lsn{50}, {}};
    time.on_flushed(Lsn{100}, start);
    time.on_flushed(Lsn{200}, start + 5s);
    CHECK(time.acknowledgeable(Lsn{200}, start + 9999ms) == Lsn{50});
    CHECK(time.acknowledgeable(Lsn{200}, start + 10s) == Lsn{100});
    time.on_flushed(Lsn{200}, start + 15s);
    CHECK(time.acknowledgeable(Lsn{200}, start + 15s) == Lsn{200});
}

TEST_CASE("the last position of a burst is released, too", "[hold_back]") {
    HoldBack time{{.time = 10s}, Lsn{}, {}};
    time.on_flushed(Lsn{100}, start);
    // Too soon for a mark of its own; it gets one when nothing moves any more.
    time.on_flushed(Lsn{101}, start + 1ms);
    time.on_flushed(Lsn{101}, start + 1s);
    CHECK(time.acknowledgeable(Lsn{101}, start + 10s) == Lsn{100});
    CHECK(time.acknowledgeable(Lsn{101}, start + 11s) == Lsn{101});
}

TEST_CASE("marks of earlier sessions count", "[hold_back]") {
    const HoldBack time{{.time = 10s}, Lsn{50}, {{Lsn{100}, start - 11s}, {Lsn{200}, start - 9s}}};
    CHECK(time.acknowledgeable(Lsn{300}, start) == Lsn{100});
    CHECK(time.acknowledgeable(Lsn{300}, start + 1s) == Lsn{200});
}

TEST_CASE("marks are at most a sixty-fourth of the window apart, within reason", "[hold_back]") {
    CHECK(HoldBack::spacing(64s) == 1s);
    CHECK(HoldBack::spacing(1s) == 100ms);
    CHECK(HoldBack::spacing(7 * 24h) == 60s);
}

}  // namespace pgchronicle::replicator
