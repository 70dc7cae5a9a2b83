#include "pgoutput/decode.hpp"

#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <type_traits>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;
using enum StreamContext;

// What holds for every kind of message. The fields of each are in decode_transaction_test.cpp and
// decode_row_test.cpp.

namespace {

bool same_bytes(std::span<const std::byte> left, std::span<const std::byte> right) {
    return std::ranges::equal(left, right);
}

}  // namespace

TEST_CASE("the samples hold every kind of message", "[pgoutput]") {
    std::vector<bool> seen(std::variant_size_v<Message>);
    for (const auto& sample : sample_messages()) {
        const auto message = decode(sample.bytes, sample.context);
        REQUIRE(message.ok());
        seen[message->index()] = true;
    }
    CHECK(std::ranges::count(seen, false) == 0);
}

TEST_CASE("decode is the inverse of what the server writes", "[pgoutput]") {
    for (const auto& sample : sample_messages()) {
        INFO(sample.name);
        const auto message = decode(sample.bytes, sample.context);
        REQUIRE(message.ok());
        CHECK(same_bytes(encode(*message), sample.bytes));
    }
}

TEST_CASE("decode rejects every proper prefix of every message", "[pgoutput]") {
    for (const auto& sample : sample_messages()) {
        for (std::size_t length = 0; length < sample.bytes.size(); ++length) {
            INFO(sample.name << " cut to " << length << " bytes");
            // The short form of Stream Abort is a message of its own.
            if (sample.name == "stream_abort_parallel" && length == 9) continue;
            // A copy of its own, so that a sanitizer sees a read past the end.
            const Bytes prefix(
                sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(length)
            );
            const auto message = decode(prefix, sample.context);
            REQUIRE_FALSE(message.ok());
            const auto code = message.error().code;
            const bool is_short =
                code == DecodeErrc::truncated || code == DecodeErrc::unterminated_string;
            CHECK(is_short);
            CHECK(message.error().offset <= length);
        }
    }
}

TEST_CASE("decode rejects a byte after the end of every message", "[pgoutput]") {
    for (const auto& sample : sample_messages()) {
        INFO(sample.name);
        // The short form of Stream Abort with more behind it is a cut long form.
        const bool is_short_abort = sample.name == "stream_abort";
        auto longer = sample.bytes;
        longer.push_back(std::byte{0});
        const auto message = decode(longer, sample.context);
        REQUIRE_FALSE(message.ok());
        CHECK(
            message.error().code ==
            (is_short_abort ? DecodeErrc::truncated : DecodeErrc::trailing_bytes)
        );
        CHECK(message.error().offset == sample.bytes.size());
        CHECK(message.error().tag == std::to_integer<char>(sample.bytes.front()));
    }
}

TEST_CASE("an empty payload is an error at byte 0", "[pgoutput]") {
    const auto message = decode({}, outside_stream);
    REQUIRE_FALSE(message.ok());
    CHECK(message.error().code == DecodeErrc::truncated);
    CHECK(message.error().offset == 0);
    CHECK(message.error().tag == 0);
}

TEST_CASE("a tag that names no message is rejected, whatever follows", "[pgoutput]") {
    const std::string tags = "BCORYIUDTMSEcAbPKrp";
    for (unsigned tag = 0; tag < 256; ++tag) {
        if (tags.find(static_cast<char>(tag)) != std::string::npos) continue;
        const auto bytes = WireWriter{}.u8(tag).u64(0).u64(0).take();
        const auto message = decode(bytes, outside_stream);
        REQUIRE_FALSE(message.ok());
        CHECK(message.error().code == DecodeErrc::unknown_tag);
        CHECK(message.error().offset == 0);
        CHECK(message.error().tag == static_cast<char>(tag));
    }
}

TEST_CASE("the same bytes read differently inside a streamed block", "[pgoutput]") {
    // Outside: relation 16400, one column. Inside: xid 16400, relation 'N' 0 1 'n' and more.
    const Row row{null()};
    const auto bytes = encode(Insert{std::nullopt, RelationId{16400}, row.tuple()});
    CHECK(decode(bytes, outside_stream).ok());
    CHECK_FALSE(decode(bytes, inside_stream).ok());

    const auto streamed = encode(Insert{Xid{742}, RelationId{16400}, row.tuple()});
    const auto message = decode(streamed, inside_stream);
    REQUIRE(message.ok());
    CHECK(std::get<Insert>(*message).xid == Xid{742});
    CHECK(std::get<Insert>(*message).relation == RelationId{16400});
}

TEST_CASE("what decode accepts of damaged messages is what the bytes say", "[pgoutput]") {
    const auto seed = Catch::rngSeed() != 0 ? Catch::rngSeed() : std::random_device{}();
    INFO("seed " << seed << ", give it back with --rng-seed");
    std::mt19937 random{seed};
    const auto samples = sample_messages();
    const auto below = [&](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    for (int round = 0; round < 20'000; ++round) {
        const auto& sample = samples[below(samples.size())];
        auto bytes = sample.bytes;
        for (auto flips = below(3) + 1; flips > 0; --flips) {
            bytes[below(bytes.size())] = static_cast<std::byte>(below(256));
        }
        const auto context = below(2) == 0 ? outside_stream : inside_stream;
        const auto message = decode(bytes, context);
        if (!message.ok()) {
            REQUIRE(message.error().code != DecodeErrc::ok);
            REQUIRE(message.error().offset <= bytes.size());
            continue;
        }
        REQUIRE(same_bytes(encode(*message), bytes));
    }
}
