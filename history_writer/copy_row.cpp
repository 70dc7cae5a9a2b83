#include "history_writer/copy_row.hpp"

#include <algorithm>
#include <cstring>

namespace pgchronicle::history_writer {

using pgoutput::Value;
using pgoutput::ValueKind;

namespace {

constexpr std::byte tab{'\t'};

/// The letter that follows the backslash, or NUL when the byte stands for itself.
char escape_of(std::byte b) {
    switch (static_cast<char>(b)) {
    case '\\':
        return '\\';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    default:
        return '\0';
    }
}

}  // namespace

void append_escaped(Bytes& out, std::span<const std::byte> text) {
    auto from = text.begin();
    for (auto it = text.begin(); it != text.end(); ++it) {
        const char letter = escape_of(*it);
        if (letter == '\0') continue;
        out.insert(out.end(), from, it);
        out.push_back(std::byte{'\\'});
        out.push_back(static_cast<std::byte>(letter));
        from = it + 1;
    }
    out.insert(out.end(), from, text.end());
}

void append_null_field(Bytes& out, WireForm form) {
    if (form == WireForm::binary) {
        append_int32(out, -1);
        return;
    }
    append(out, std::string_view{"\\N\t"});
}

void append_field(Bytes& out, const Value& value, WireForm form) {
    if (value.kind == ValueKind::null) {
        append_null_field(out, form);
        return;
    }
    if (form == WireForm::text) {
        append_escaped(out, value.bytes);
        out.push_back(tab);
        return;
    }
    const auto length = value.bytes.size();
    const auto at = out.size();
    out.resize(at + sizeof(std::int32_t) + length);
    const auto bits = static_cast<std::uint32_t>(length);
    out[at] = static_cast<std::byte>(bits >> 24U);
    out[at + 1] = static_cast<std::byte>((bits >> 16U) & 0xFFU);
    out[at + 2] = static_cast<std::byte>((bits >> 8U) & 0xFFU);
    out[at + 3] = static_cast<std::byte>(bits & 0xFFU);
    if (length != 0)
        std::memcpy(out.data() + at + sizeof(std::int32_t), value.bytes.data(), length);
}

std::span<const std::byte>
field_of(std::span<const std::byte> row, std::size_t column, WireForm form) {
    if (form == WireForm::text) {
        for (std::size_t i = 0;; ++i) {
            const auto end =
                static_cast<std::size_t>(std::find(row.begin(), row.end(), tab) - row.begin() + 1);
            if (i == column) return row.first(end);
            row = row.subspan(end);
        }
    }
    for (std::size_t i = 0;; ++i) {
        const auto length = read_int32(row.data());
        const auto size =
            sizeof(std::int32_t) + (length < 0 ? 0 : static_cast<std::size_t>(length));
        if (i == column) return row.first(size);
        row = row.subspan(size);
    }
}

}  // namespace pgchronicle::history_writer
