#pragma once

#include "pgoutput/decode.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/timestamp.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <variant>

// The CopyData frames of streaming replication.
// Source: manual, protocol-replication, START_REPLICATION.

namespace pgchronicle::pgoutput {

/// 'w': one message. `start_lsn` may be 0/0 (Relation, Type) and orders nothing.
struct XLogData {
    Lsn start_lsn;
    Lsn wal_end;
    PgTimestamp send_time;
    std::span<const std::byte> payload;
};

/// 'k': the server is alive and has decoded up to `wal_end`.
struct Keepalive {
    Lsn wal_end;
    PgTimestamp send_time;
    bool reply_requested{false};
};

using Frame = std::variant<XLogData, Keepalive>;

/// Decodes the content of one CopyData message. Total; views into `copy_data`.
[[nodiscard]] Decoded<Frame> decode_frame(std::span<const std::byte> copy_data);

/// 'r': what the client has received, made durable and applied.
struct StatusUpdate {
    Lsn written;
    Lsn flushed;
    Lsn applied;
    PgTimestamp send_time;
    bool reply_requested{false};

    friend bool operator==(const StatusUpdate&, const StatusUpdate&) = default;
};

inline constexpr std::size_t status_update_bytes = 34;

/// The 34 bytes of a standby status update.
[[nodiscard]] std::array<std::byte, status_update_bytes> encode(const StatusUpdate& status);

}  // namespace pgchronicle::pgoutput
