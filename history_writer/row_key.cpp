#include "history_writer/row_key.hpp"

#include <algorithm>
#include <string_view>

namespace pgchronicle::history_writer {

namespace {

using pgoutput::Value;
using pgoutput::ValueKind;

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT
}

void append_sized(Bytes& out, std::span<const std::byte> bytes) {
    append_int32(out, static_cast<std::int32_t>(bytes.size()));
    append(out, bytes);
}

/// Text of a numeric without the zeros that end its fraction.
std::string_view without_scale(std::string_view text) {
    if (text.find('.') == std::string_view::npos || text.find('e') != std::string_view::npos) {
        return text;
    }
    text = text.substr(0, text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.remove_suffix(1);
    return text == "-0" ? "0" : text;
}

void append_numeric(Bytes& out, const Value& value) {
    if (value.kind == ValueKind::text) {
        const auto text = without_scale(as_text(value.bytes));
        append_sized(out, std::as_bytes(std::span{text.data(), text.size()}));
        return;
    }
    // int16 digits, weight, sign, display scale; then the digits. Zero digits at the end are never
    // sent, so the display scale alone tells equal values apart.
    constexpr std::size_t scale_offset = 6;
    const auto at = out.size() + sizeof(std::int32_t);
    append_sized(out, value.bytes);
    if (value.bytes.size() >= scale_offset + 2) {
        out[at + scale_offset] = std::byte{0};
        out[at + scale_offset + 1] = std::byte{0};
    }
}

/// IEEE 754: every bit of the exponent is set, and some of the fraction.
bool is_nan(std::span<const std::byte> bytes) {
    std::uint64_t bits = 0;
    for (const auto b : bytes) bits = bits << 8U | std::to_integer<std::uint64_t>(b);
    const bool single = bytes.size() == sizeof(float);
    const std::uint64_t exponent = single ? 0x7F80'0000U : 0x7FF0'0000'0000'0000U;
    const std::uint64_t fraction = single ? 0x007F'FFFFU : 0x000F'FFFF'FFFF'FFFFU;
    return (bits & exponent) == exponent && (bits & fraction) != 0;
}

void append_floating(Bytes& out, const Value& value) {
    if (value.kind == ValueKind::text) {
        const auto text = as_text(value.bytes);
        const std::string_view canonical = text == "-0" ? "0" : text;
        append_sized(out, std::as_bytes(std::span{canonical.data(), canonical.size()}));
        return;
    }
    const auto at = out.size() + sizeof(std::int32_t);
    append_sized(out, value.bytes);
    if (is_nan(value.bytes)) {
        // All of them are one key, whatever their sign and fraction.
        std::fill_n(
            out.begin() + static_cast<std::ptrdiff_t>(at), value.bytes.size(), std::byte{0xFF}
        );
        return;
    }
    constexpr std::byte sign{0x80};
    const bool zero = std::all_of(value.bytes.begin() + 1, value.bytes.end(), [](std::byte b) {
        return b == std::byte{0};
    });
    if (zero && value.bytes.front() == sign) out[at] = std::byte{0};
}

void append_unpadded(Bytes& out, const Value& value) {
    const auto text = as_text(value.bytes);
    append_sized(out, value.bytes.first(text.find_last_not_of(' ') + 1));
}

}  // namespace

void append_neutral(Bytes& out, const Value& value) {
    if (value.kind == ValueKind::null || value.kind == ValueKind::unchanged_toast) {
        append_int32(out, -1);
        return;
    }
    append_sized(out, value.bytes);
}

void append_canonical(Bytes& out, const Value& value, KeyEquality equality) {
    if (value.kind == ValueKind::null || value.bytes.empty()) {
        append_neutral(out, value);
        return;
    }
    switch (equality) {
    case KeyEquality::bytes:
    case KeyEquality::asked:
        append_neutral(out, value);
        return;
    case KeyEquality::numeric:
        append_numeric(out, value);
        return;
    case KeyEquality::floating:
        append_floating(out, value);
        return;
    case KeyEquality::blank_padded:
        append_unpadded(out, value);
        return;
    }
}

}  // namespace pgchronicle::history_writer
