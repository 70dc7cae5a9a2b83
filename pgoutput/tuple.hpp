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
    explicit TupleReader(const TupleData& tuple) : rest_{tuple.wire} {}

    /// The next value. Precondition: fewer than `column_count` were read.
    [[nodiscard]] Value next() {
        const auto kind = static_cast<ValueKind>(rest_.front());
        if (kind == ValueKind::null || kind == ValueKind::unchanged_toast) {
            rest_ = rest_.subspan(1);
            return {kind, {}};
        }
        const auto length = (std::to_integer<std::uint32_t>(rest_[1]) << 24U) |
                            (std::to_integer<std::uint32_t>(rest_[2]) << 16U) |
                            (std::to_integer<std::uint32_t>(rest_[3]) << 8U) |
                            std::to_integer<std::uint32_t>(rest_[4]);
        const Value value{kind, rest_.subspan(5, length)};
        rest_ = rest_.subspan(5 + std::size_t{length});
        return value;
    }

private:
    std::span<const std::byte> rest_;
};

}  // namespace pgchronicle::pgoutput
