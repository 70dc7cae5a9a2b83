#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pgchronicle::pgoutput {

/// How one value of a tuple arrived.
enum class ValueKind : char {
    null = 'n',
    unchanged_toast = 'u',  ///< Stored out of line and not sent: it is what it was.
    text = 't',             ///< The type's output function, not NUL-terminated.
    binary = 'b',           ///< The type's send function.
};

/// One value; `bytes` is empty unless the kind is text or binary. Points into the payload.
struct Value {
    ValueKind kind{ValueKind::null};
    std::span<const std::byte> bytes;
};

/// The values of one tuple, still in wire form: `column_count` values, each a kind byte and,
/// for text and binary, a length and that many bytes. decode() has checked all of it, so walking
/// it cannot fail. Points into the payload and dies with it.
/// Source: manual, protocol-logicalrep-message-formats, "TupleData".
struct TupleData {
    std::uint16_t column_count{0};
    std::span<const std::byte> wire;
    bool has_unchanged_toast{false};  ///< At least one value is unchanged_toast.
};

/// Walks the values of a checked tuple in column order.
class TupleReader {
public:
    explicit TupleReader(const TupleData& tuple) : at_{tuple.wire.data()} {}

    /// The next value. Precondition: fewer than `column_count` were read.
    [[nodiscard]] Value next() {
        Value value;
        next(value);
        return value;
    }
    /// The same, in place: copying a value whose parts were just written stalls the processor.
    void next(Value& value) {
        value.kind = static_cast<ValueKind>(*at_++);
        if (value.kind == ValueKind::null || value.kind == ValueKind::unchanged_toast) {
            value.bytes = {};
            return;
        }
        const std::size_t length = (std::to_integer<std::uint32_t>(at_[0]) << 24U) |
                                   (std::to_integer<std::uint32_t>(at_[1]) << 16U) |
                                   (std::to_integer<std::uint32_t>(at_[2]) << 8U) |
                                   std::to_integer<std::uint32_t>(at_[3]);
        at_ += sizeof(std::int32_t);
        value.bytes = {at_, length};
        at_ += length;
    }

private:
    const std::byte* at_;
};

}  // namespace pgchronicle::pgoutput
