#include "http/position_watch.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::http;
using namespace std::chrono_literals;
using pgchronicle::pgoutput::Lsn;

TEST_CASE("a position goes back only for a reading that began after it was known", "[http]") {
    boost::asio::io_context io;
    PositionWatch watch{io, [] {}};
    const auto before = Clock::now() - 1s;
    watch.note(Lsn{100}, before);
    watch.note(Lsn{90}, before);
    CHECK(watch.position() == Lsn{100});
    watch.note(std::nullopt, before);
    CHECK(watch.position() == Lsn{100});
    watch.note(Lsn{110}, before);
    CHECK(watch.position() == Lsn{110});
    // A replay.
    watch.note(Lsn{50}, Clock::now());
    CHECK(watch.position() == Lsn{50});
    watch.note(std::nullopt, Clock::now());
    CHECK(watch.position() == std::nullopt);
}
