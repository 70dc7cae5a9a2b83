#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace pgchronicle::history_writer {

/// Appends to a byte vector in network order. One place for what COPY and parameters are made of.
using Bytes = std::vector<std::byte>;

inline void append(Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}
inline void append(Bytes& out, std::string_view text) {
    append(out, std::as_bytes(std::span{text.data(), text.size()}));
}
/// Writes `value` in network order; returns where it ends.
template <typename Integer>
std::byte* put_integer(std::byte* to, Integer value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        to[i] = static_cast<std::byte>((bits >> (8 * (sizeof(Integer) - 1 - i))) & 0xFFU);
    }
    return to + sizeof(Integer);
}
inline std::byte* put_int32(std::byte* to, std::int32_t value) {
    return put_integer(to, value);
}
template <typename Integer>
void append_integer(Bytes& out, Integer value) {
    std::byte bytes[sizeof(Integer)];
    put_integer(bytes, value);
    out.insert(out.end(), bytes, bytes + sizeof(Integer));
}
inline void append_int16(Bytes& out, std::int16_t value) {
    append_integer(out, value);
}
inline void append_int32(Bytes& out, std::int32_t value) {
    append_integer(out, value);
}
inline void append_int64(Bytes& out, std::int64_t value) {
    append_integer(out, value);
}

/// Reads an int32 in network order; the caller knows that four bytes are there.
inline std::int32_t read_int32(const std::byte* at) {
    return static_cast<std::int32_t>(
        (std::to_integer<std::uint32_t>(at[0]) << 24U) |
        (std::to_integer<std::uint32_t>(at[1]) << 16U) |
        (std::to_integer<std::uint32_t>(at[2]) << 8U) | std::to_integer<std::uint32_t>(at[3])
    );
}

}  // namespace pgchronicle::history_writer
