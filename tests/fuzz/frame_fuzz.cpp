#include "pgoutput/stream_frame.hpp"
#include "tests/fuzz/fuzz_checks.hpp"

#include <cstdint>

// The content of one CopyData message, and the message inside of it.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pgchronicle;
    const auto bytes = std::as_bytes(std::span{data, size});
    const auto frame = pgoutput::decode_frame(bytes);
    if (!frame.ok()) {
        test::require(frame.error().code != pgoutput::DecodeErrc::ok, "an error has a code");
        test::require(frame.error().offset <= size, "an error lies inside the frame");
        return 0;
    }
    const auto again = std::visit([](const auto& f) { return test::encode(f); }, *frame);
    test::require(std::ranges::equal(again, bytes), "an accepted frame says all its bytes");
    if (const auto* const data_frame = std::get_if<pgoutput::XLogData>(&*frame)) {
        const auto context = pgoutput::StreamContext::outside_stream;
        static_cast<void>(test::decode_checked(data_frame->payload, context));
    }
    return 0;
}
