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
    append_binary_row(out, {&value, 1});
}

void append_binary_row(Bytes& out, std::span<const Value> values) {
    std::size_t size = 0;
    for (const auto& value : values) size += sizeof(std::int32_t) + value.bytes.size();
    const auto offset = out.size();
    out.resize(offset + size);
    auto* to = out.data() + offset;
    for (const auto& value : values) {
        const auto length = value.bytes.size();
        to = put_int32(to, value.kind == ValueKind::null ? -1 : static_cast<std::int32_t>(length));
        // Most values have one of two sizes, and a copy of a known size is one instruction.
        constexpr std::size_t four = 4;
        constexpr std::size_t eight = 8;
        if (length == eight) {
            std::memcpy(to, value.bytes.data(), eight);
        } else if (length == four) {
            std::memcpy(to, value.bytes.data(), four);
        } else if (length != 0) {
            std::memcpy(to, value.bytes.data(), length);
        }
        to += length;
    }
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
