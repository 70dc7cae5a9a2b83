#pragma once

#include "pgoutput/ids.hpp"
#include "pgoutput/lsn.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace pgchronicle::replicator {

/// Sizes in bytes of a server's WAL: `wal_block_size`, `wal_segment_size`.
struct WalLayout {
    std::uint64_t block{8192};
    std::uint64_t segment{16U << 20U};
};

/// Where a transaction's commit record ends: the end LSN that its Commit message will say. `wal` is
/// the WAL from the record's start on, at least its first 8 bytes: its length in the server's byte
/// order, and the transaction. Nothing when that is no commit record of `xid`.
/// Source: access/xlogrecord.h, access/xlog_internal.h; the same from 14 to 18.
[[nodiscard]] std::optional<pgoutput::Lsn> end_of_commit(
    pgoutput::Lsn start,
    pgoutput::Xid xid,
    std::span<const std::byte> wal,
    const WalLayout& layout
);

}  // namespace pgchronicle::replicator
