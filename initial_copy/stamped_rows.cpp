#include "initial_copy/stamped_rows.hpp"

#include <utility>

namespace pgchronicle::initial_copy {

using history_writer::append;
using history_writer::append_int16;

namespace {

/// Signature, flags, and the length of an extension, which PostgreSQL has never used.
/// Source: manual, "COPY", binary format.
constexpr std::size_t header_bytes = 19;
/// One send per this much: the kernel and the server's message loop are asked rarely.
constexpr std::size_t piece_bytes = 64U << 10U;

std::int16_t read_int16(const std::byte* at) {
    return static_cast<std::int16_t>(
        (std::to_integer<unsigned>(at[0]) << 8U) | std::to_integer<unsigned>(at[1])
    );
}

}  // namespace

RowFields first_row(std::span<const std::byte> message) {
    const auto row = message.subspan(header_bytes);
    return {row.subspan(sizeof(std::int16_t)), read_int16(row.data())};
}

StampedRows::StampedRows(RowFields stamp, Sink sink) : stamp_{stamp}, sink_{std::move(sink)} {
    buffer_.reserve(2 * piece_bytes);
}

void StampedRows::add(std::span<const std::byte> message) {
    if (!std::exchange(begun_, true)) {
        append(buffer_, message.first(header_bytes));
        message = message.subspan(header_bytes);
    }
    const auto columns = read_int16(message.data());
    if (columns < 0) {
        append(buffer_, message);
        return;
    }
    append_int16(buffer_, static_cast<std::int16_t>(columns + stamp_.count));
    const auto fields = message.subspan(sizeof columns);
    if (fields.size() < piece_bytes) {
        append(buffer_, fields);
    } else {
        // A piece by itself: a huge row needs no copy of its own here.
        flush();
        sink_(fields);
    }
    append(buffer_, stamp_.bytes);
    ++rows_;
    if (buffer_.size() >= piece_bytes) flush();
}

void StampedRows::flush() {
    if (!buffer_.empty()) sink_(buffer_);
    buffer_.clear();
}

}  // namespace pgchronicle::initial_copy
