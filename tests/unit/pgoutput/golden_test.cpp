#include "tests/support/golden.hpp"

#include "pgoutput/decode.hpp"
#include "pgoutput/transaction_assembler.hpp"
#include "tests/support/message_text.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;

// What real servers sent, against a decoding of it by another program.

namespace {

const std::vector<GoldenStream>& golden_streams() {
    static const auto streams = load_golden_streams(PGCHRONICLE_SOURCE_DIR "/tests/golden");
    return streams;
}

/// The scenarios that the assembler has to stop at; all others it accepts to the end.
std::optional<SequenceErrc> expected_rejection(const std::string& name) {
    const std::map<std::string, SequenceErrc> rejections{
        {"011_streaming", SequenceErrc::unexpected_stream},
        {"012_two_phase", SequenceErrc::unexpected_prepare},
        {"013_streamed_prepare", SequenceErrc::unexpected_stream},
        {"016_parallel_streaming", SequenceErrc::unexpected_stream},
    };
    const auto found = rejections.find(name.substr(name.find('/') + 1));
    if (found == rejections.end()) return std::nullopt;
    return found->second;
}

/// Where a Stream Abort of protocol 4 has a whole one of the earlier ones inside: before the LSN
/// and the time that the later one adds.
std::optional<std::size_t> shorter_form(const Message& message) {
    const auto* const abort = std::get_if<StreamAbort>(&message);
    if (abort == nullptr || !abort->abort_lsn) return std::nullopt;
    return sizeof(char) + 2 * sizeof(std::uint32_t);
}

}  // namespace

TEST_CASE("there are streams of every server, with every kind of message", "[golden]") {
    std::vector<bool> seen(std::variant_size_v<Message>);
    std::set<std::string> servers;
    for (const auto& stream : golden_streams()) {
        servers.insert(stream.name.substr(0, stream.name.find('/')));
        for (const auto& message : stream.messages) {
            seen[decode(message.bytes, message.context).value().index()] = true;
        }
    }
    CHECK(std::count(seen.begin(), seen.end(), false) == 0);
    CHECK(servers == std::set<std::string>{"pg14", "pg15", "pg16", "pg17", "pg18"});
}

TEST_CASE("what real servers sent is decoded as another program decodes it", "[golden]") {
    for (const auto& stream : golden_streams()) {
        INFO(stream.name);
        REQUIRE(stream.lines.size() == stream.messages.size());
        for (std::size_t i = 0; i < stream.messages.size(); ++i) {
            const auto& recorded = stream.messages[i];
            const auto message = decode(recorded.bytes, recorded.context);
            if (!message.ok()) FAIL(stream.lines[i] << ": " << to_string(message.error()));
            CHECK(describe(*message) == stream.lines[i]);
        }
    }
}

TEST_CASE("wire_builder writes what real servers wrote", "[golden]") {
    for (const auto& stream : golden_streams()) {
        INFO(stream.name);
        for (const auto& recorded : stream.messages) {
            CHECK(encode(decode(recorded.bytes, recorded.context).value()) == recorded.bytes);
        }
    }
}

TEST_CASE("every proper prefix of what real servers sent is rejected", "[golden]") {
    for (const auto& stream : golden_streams()) {
        INFO(stream.name);
        for (const auto& recorded : stream.messages) {
            const std::span<const std::byte> bytes{recorded.bytes};
            const auto shorter = shorter_form(decode(bytes, recorded.context).value());
            for (std::size_t length = 0; length < bytes.size(); ++length) {
                REQUIRE(decode(bytes.first(length), recorded.context).ok() == (length == shorter));
            }
        }
    }
}

TEST_CASE("the assembler follows real streams and stops where it has to", "[golden]") {
    for (const auto& stream : golden_streams()) {
        INFO(stream.name);
        TransactionAssembler assembler{Lsn{}};
        std::optional<SequenceErrc> rejection;
        for (const auto& recorded : stream.messages) {
            const auto message = decode(recorded.bytes, recorded.context).value();
            const auto step = assembler.on(message);
            if (!step.ok()) {
                INFO(to_string(step.error()));
                rejection = step.error().code;
                break;
            }
            const auto* const committed = std::get_if<TransactionCommitted>(&*step);
            // The server counts a commit as its end, which is what has to be acknowledged.
            if (committed != nullptr) CHECK(committed->end_lsn == recorded.lsn);
        }
        CHECK(rejection == expected_rejection(stream.name));
        if (!rejection) CHECK_FALSE(assembler.in_transaction());
    }
}
