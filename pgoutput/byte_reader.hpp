#pragma once

#include "pgoutput/decode_error.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pgchronicle::pgoutput {

/// A bounds-checked cursor over big-endian fields that remembers its first failure.
///
/// After a failure every read gives zero or nothing and moves no further, so a reader of a message
/// reads all of its fields and asks once, with `finish`. Never reads past the span.
class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> bytes)
        : first_{bytes.data()}, next_{first_}, end_{first_ + bytes.size()} {}

    [[nodiscard]] std::uint8_t u8() {
        const auto* const field = take(sizeof(std::uint8_t));
        return field == nullptr ? std::uint8_t{0} : std::to_integer<std::uint8_t>(*field);
    }
    [[nodiscard]] std::uint16_t u16() {
        const auto* const field = take(sizeof(std::uint16_t));
        if (field == nullptr) return 0;
        return static_cast<std::uint16_t>(
            (std::to_integer<unsigned>(field[0]) << 8U) | std::to_integer<unsigned>(field[1])
        );
    }
    [[nodiscard]] std::uint32_t u32() {
        const auto* const field = take(sizeof(std::uint32_t));
        return field == nullptr ? 0 : u32_at(field);
    }
    [[nodiscard]] std::uint64_t u64() {
        const auto* const field = take(sizeof(std::uint64_t));
        if (field == nullptr) return 0;
        return (std::uint64_t{u32_at(field)} << 32U) | u32_at(field + sizeof(std::uint32_t));
    }
    [[nodiscard]] std::int16_t i16() { return std::bit_cast<std::int16_t>(u16()); }
    [[nodiscard]] std::int32_t i32() { return std::bit_cast<std::int32_t>(u32()); }
    [[nodiscard]] std::int64_t i64() { return std::bit_cast<std::int64_t>(u64()); }
    [[nodiscard]] char character() { return std::bit_cast<char>(u8()); }

    /// Text up to a NUL, which is read but not part of the result.
    [[nodiscard]] std::string_view c_string() {
        const auto* const nul = std::find(next_, end_, std::byte{0});
        if (nul == end_) {
            fail(DecodeErrc::unterminated_string);
            return {};
        }
        const std::string_view text{
            reinterpret_cast<const char*>(next_), static_cast<std::size_t>(nul - next_)};
        next_ = nul + 1;
        return text;
    }

    [[nodiscard]] std::span<const std::byte> bytes(std::size_t count) {
        const auto* const field = take(count);
        if (field == nullptr) return {};
        return {field, count};
    }

    /// What was read since the cursor stood at `start`, an earlier offset().
    [[nodiscard]] std::span<const std::byte> since(std::size_t start) const {
        return {first_ + start, next_};
    }

    /// Fails with `code` at `at` unless `holds`; a failure before it stays.
    void require(bool holds, DecodeErrc code, std::size_t at) {
        if (!holds) fail_at(code, at);
    }

    [[nodiscard]] bool ok() const { return code_ == DecodeErrc::ok; }
    [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - next_); }

    /// Where the next field begins, counted from the start of the span.
    [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(next_ - first_); }

    /// The first failure, or trailing_bytes when something is left, or ok. The offset is the
    /// start of the field that is wrong.
    [[nodiscard]] DecodeError finish(char tag) const {
        if (!ok()) return {code_, failed_at_, tag};
        if (next_ != end_) return {DecodeErrc::trailing_bytes, offset(), tag};
        return {};
    }

private:
    /// The next `count` bytes, or null when fewer are left (or none exist at all).
    [[nodiscard]] const std::byte* take(std::size_t count) {
        if (count > remaining()) {
            fail(DecodeErrc::truncated);
            return nullptr;
        }
        const auto* const field = next_;
        next_ += count;
        return field;
    }

    // Spelt out, compilers make one load and a byte swap of it.
    [[nodiscard]] static std::uint32_t u32_at(const std::byte* field) {
        return (std::to_integer<std::uint32_t>(field[0]) << 24U) |
               (std::to_integer<std::uint32_t>(field[1]) << 16U) |
               (std::to_integer<std::uint32_t>(field[2]) << 8U) |
               std::to_integer<std::uint32_t>(field[3]);
    }

    void fail(DecodeErrc code) { fail_at(code, offset()); }

    void fail_at(DecodeErrc code, std::size_t at) {
        if (!ok()) return;
        code_ = code;
        failed_at_ = at;
        end_ = next_;  // Nothing more can be read.
    }

    const std::byte* first_;
    const std::byte* next_;
    const std::byte* end_;
    DecodeErrc code_{DecodeErrc::ok};
    std::size_t failed_at_{0};
};

}  // namespace pgchronicle::pgoutput
