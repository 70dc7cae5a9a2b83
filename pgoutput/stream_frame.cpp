#include "pgoutput/stream_frame.hpp"

#include "pgoutput/byte_reader.hpp"

#include <bit>

namespace pgchronicle::pgoutput {

namespace {

XLogData read_xlog_data(ByteReader& in) {
    XLogData frame;
    frame.start_lsn = Lsn{in.u64()};
    frame.wal_end = Lsn{in.u64()};
    frame.send_time = PgTimestamp{in.i64()};
    frame.payload = in.bytes(in.remaining());
    return frame;
}

Keepalive read_keepalive(ByteReader& in) {
    Keepalive frame;
    frame.wal_end = Lsn{in.u64()};
    frame.send_time = PgTimestamp{in.i64()};
    const auto at = in.offset();
    const auto reply = in.u8();
    in.require(reply <= 1, DecodeErrc::bad_flags, at);
    frame.reply_requested = reply == 1;
    return frame;
}

Decoded<Frame> finish(const ByteReader& in, char tag, Frame frame) {
    if (const auto error = in.finish(tag); error.code != DecodeErrc::ok) return error;
    return frame;
}

/// Appends one big-endian number; returns the place behind it.
std::byte* write_u64(std::byte* to, std::uint64_t value) {
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        *to++ = static_cast<std::byte>(value >> (shift - 8U));
    }
    return to;
}

}  // namespace

Decoded<Frame> decode_frame(std::span<const std::byte> copy_data) {
    ByteReader in{copy_data};
    const char tag = in.character();
    if (tag == 'w') return finish(in, tag, read_xlog_data(in));
    if (tag == 'k') return finish(in, tag, read_keepalive(in));
    // Empty data has failed already; anything else has a tag that nobody knows.
    in.require(false, DecodeErrc::unknown_tag, 0);
    return in.finish(tag);
}

std::array<std::byte, status_update_bytes> encode(const StatusUpdate& status) {
    std::array<std::byte, status_update_bytes> bytes{};
    auto* to = bytes.data();
    *to++ = std::byte{'r'};
    to = write_u64(to, status.written.value);
    to = write_u64(to, status.flushed.value);
    to = write_u64(to, status.applied.value);
    to = write_u64(to, std::bit_cast<std::uint64_t>(status.send_time.microseconds));
    *to = status.reply_requested ? std::byte{1} : std::byte{0};
    return bytes;
}

}  // namespace pgchronicle::pgoutput
