#include "pgoutput/stream_frame.hpp"

#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

TEST_CASE("XLogData has two positions, a time and a payload", "[pgoutput]") {
    const auto bytes = WireWriter{}.letter('w').u64(1).u64(2).u64(3).text("payload").take();
    const auto frame = decode_frame(bytes);
    REQUIRE(frame.ok());
    const auto& data = std::get<XLogData>(*frame);
    CHECK(data.start_lsn == Lsn{1});
    CHECK(data.wal_end == Lsn{2});
    CHECK(data.send_time == PgTimestamp{3});
    CHECK(std::ranges::equal(data.payload, WireWriter{}.text("payload").take()));
    CHECK(data.payload.data() == bytes.data() + 25);
}

TEST_CASE("XLogData may start at 0/0 and have an empty payload", "[pgoutput]") {
    const auto frame = decode_frame(WireWriter{}.letter('w').u64(0).u64(0).u64(0).take());
    REQUIRE(frame.ok());
    CHECK_FALSE(std::get<XLogData>(*frame).start_lsn.valid());
    CHECK(std::get<XLogData>(*frame).payload.empty());
}

TEST_CASE("a keepalive has a position, a time and may ask for a reply", "[pgoutput]") {
    for (const bool asked : {false, true}) {
        const auto bytes = WireWriter{}.letter('k').u64(1ULL << 63U).u64(3).flag(asked).take();
        const auto frame = decode_frame(bytes);
        REQUIRE(frame.ok());
        const auto& keepalive = std::get<Keepalive>(*frame);
        CHECK(keepalive.wal_end == Lsn{1ULL << 63U});
        CHECK(keepalive.send_time == PgTimestamp{3});
        CHECK(keepalive.reply_requested == asked);
    }
}

TEST_CASE("a keepalive's flag is 0 or 1", "[pgoutput]") {
    const auto frame = decode_frame(WireWriter{}.letter('k').u64(1).u64(3).u8(2).take());
    REQUIRE_FALSE(frame.ok());
    CHECK(frame.error().code == DecodeErrc::bad_flags);
    CHECK(frame.error().offset == 17);
}

TEST_CASE("every proper prefix of a frame's head is rejected", "[pgoutput]") {
    const auto data = encode(XLogData{Lsn{1}, Lsn{2}, PgTimestamp{3}, {}});
    const auto keepalive = encode(Keepalive{Lsn{1}, PgTimestamp{3}, true});
    for (const auto& bytes : {data, keepalive}) {
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
            const auto frame = decode_frame(prefix);
            REQUIRE_FALSE(frame.ok());
            CHECK(frame.error().code == DecodeErrc::truncated);
        }
    }
}

TEST_CASE("a byte after a keepalive is rejected", "[pgoutput]") {
    auto bytes = encode(Keepalive{Lsn{1}, PgTimestamp{3}, true});
    bytes.push_back(std::byte{0});
    const auto frame = decode_frame(bytes);
    REQUIRE_FALSE(frame.ok());
    CHECK(frame.error().code == DecodeErrc::trailing_bytes);
    CHECK(frame.error().offset == 18);
}

TEST_CASE("no other letter begins a frame", "[pgoutput]") {
    for (unsigned tag = 0; tag < 256; ++tag) {
        if (tag == 'w' || tag == 'k') continue;
        const auto frame = decode_frame(WireWriter{}.u8(tag).u64(1).u64(2).u64(3).take());
        REQUIRE_FALSE(frame.ok());
        CHECK(frame.error().code == DecodeErrc::unknown_tag);
    }
}

TEST_CASE("a status update is 34 bytes in the manual's order", "[pgoutput]") {
    const StatusUpdate status{
        .written = Lsn{0x0102030405060708},
        .flushed = Lsn{0x1112131415161718},
        .applied = Lsn{0x2122232425262728},
        .send_time = PgTimestamp{-2},
        .reply_requested = true};
    const auto expected = WireWriter{}
                              .letter('r')
                              .u64(0x0102030405060708)
                              .u64(0x1112131415161718)
                              .u64(0x2122232425262728)
                              .u64(0xFFFFFFFFFFFFFFFE)
                              .u8(1)
                              .take();
    CHECK(std::ranges::equal(encode(status), expected));
    CHECK(expected.size() == status_update_bytes);
    CHECK(encode(StatusUpdate{}).back() == std::byte{0});
}
