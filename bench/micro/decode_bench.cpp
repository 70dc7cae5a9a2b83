#include "bench/micro/generated_stream.hpp"
#include "bench/micro/measure.hpp"
#include "pgoutput/stream_frame.hpp"
#include "pgoutput/transaction_assembler.hpp"
#include "replicator/io/transaction_inbox.hpp"

// From bytes to what they mean, without keeping anything of it.

namespace pgchronicle::bench {

namespace {

using namespace pgoutput;

std::span<const std::byte> payload_of(const Decoded<Frame>& frame) {
    return std::get_if<XLogData>(&*frame)->payload;
}

Decoded<Message> message_in(const Decoded<Frame>& frame) {
    return decode(payload_of(frame), StreamContext::outside_stream);
}

void frame_and_message(benchmark::State& state, Load load) {
    const auto& stream = stream_of(load);
    const auto pass = [&] {
        for (std::size_t i = 0; i < stream.frames(); ++i) {
            const auto frame = decode_frame(stream.frame(i));
            auto message = message_in(frame);
            if (!message.ok()) state.SkipWithError("a message cannot be decoded");
            benchmark::DoNotOptimize(message);
        }
    };
    measure(
        state, stream.rows(), [] {}, pass
    );
}

/// The messages are decoded before; their tuples are walked by nobody here.
void assembler(benchmark::State& state, Load load) {
    auto& stream = stream_of(load);
    std::vector<Message> messages;
    const auto read = [&] {
        stream.move_on();
        messages.clear();
        for (std::size_t i = 0; i < stream.frames(); ++i) {
            messages.push_back(*message_in(decode_frame(stream.frame(i))));
        }
    };
    TransactionAssembler assembler{Lsn{}};
    (void)assembler.describe(stream.relation());
    const auto pass = [&] {
        for (const auto& message : messages) {
            auto step = assembler.on(message);
            if (!step.ok()) state.SkipWithError("a message is out of order");
            benchmark::DoNotOptimize(step);
        }
    };
    measure(state, stream.rows(), read, pass);
}

/// What a session does with a frame before its transaction is complete: decodes the frame and keeps
/// the message.
void frame_and_inbox(benchmark::State& state, Load load) {
    auto& stream = stream_of(load);
    replicator::io::TransactionInbox inbox{".", 32U << 20U, [](const RelationMessage&) {}};
    const auto pass = [&] {
        for (std::size_t i = 0; i < stream.frames(); ++i) {
            const auto frame = decode_frame(stream.frame(i));
            auto received = inbox.on(payload_of(frame));
            benchmark::DoNotOptimize(received);
        }
    };
    measure(
        state, stream.rows(), [&] { stream.move_on(); }, pass
    );
}

}  // namespace

BENCHMARK_CAPTURE(frame_and_message, inserts, Load::inserts);
BENCHMARK_CAPTURE(frame_and_message, full_updates, Load::full_updates);
BENCHMARK_CAPTURE(frame_and_message, single_updates, Load::single_updates);
BENCHMARK_CAPTURE(frame_and_message, wide_inserts, Load::wide_inserts);
BENCHMARK_CAPTURE(assembler, inserts, Load::inserts);
BENCHMARK_CAPTURE(assembler, full_updates, Load::full_updates);
BENCHMARK_CAPTURE(assembler, single_updates, Load::single_updates);
BENCHMARK_CAPTURE(frame_and_inbox, inserts, Load::inserts);
BENCHMARK_CAPTURE(frame_and_inbox, single_updates, Load::single_updates);
BENCHMARK_CAPTURE(frame_and_inbox, wide_inserts, Load::wide_inserts);

}  // namespace pgchronicle::bench
