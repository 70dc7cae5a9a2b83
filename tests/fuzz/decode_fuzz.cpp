#include "tests/fuzz/fuzz_checks.hpp"

#include <cstdint>

// One message. The first byte of the input says where it stands: even outside a streamed block,
// odd inside.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pgchronicle;
    if (size == 0) return 0;
    const auto context = data[0] % 2 == 0 ? pgoutput::StreamContext::outside_stream
                                          : pgoutput::StreamContext::inside_stream;
    const std::span<const std::uint8_t> payload{data + 1, size - 1};
    static_cast<void>(test::decode_checked(std::as_bytes(payload), context));
    return 0;
}
