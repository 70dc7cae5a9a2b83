#include "replicator/commit_record.hpp"

#include <cstring>

namespace pgchronicle::replicator {

namespace {

using pgoutput::Lsn;
using pgoutput::Xid;

constexpr std::uint64_t alignment = 8;
constexpr std::uint64_t page_header = 24;
constexpr std::uint64_t segment_header = 40;  ///< Of a segment's first page.
constexpr std::uint32_t record_header = 24;
constexpr std::uint32_t record_max = 1020U << 20U;

/// Records go on behind the header of the next page.
Lsn end_of_record(Lsn start, std::uint64_t length, const WalLayout& layout) {
    auto at = start.value;
    for (;;) {
        const auto page_end = at - at % layout.block + layout.block;
        if (length <= page_end - at)
            return Lsn{(at + length + alignment - 1) / alignment * alignment};
        length -= page_end - at;
        at = page_end + (page_end % layout.segment == 0 ? segment_header : page_header);
    }
}

}  // namespace

std::optional<Lsn>
end_of_commit(Lsn start, Xid xid, std::span<const std::byte> wal, const WalLayout& layout) {
    std::uint32_t length = 0;
    std::uint32_t writer = 0;
    if (wal.size() < sizeof length + sizeof writer) return std::nullopt;
    std::memcpy(&length, wal.data(), sizeof length);
    std::memcpy(&writer, wal.data() + sizeof length, sizeof writer);
    // COMMIT PREPARED is written by a session that has no transaction id of its own.
    const bool ours = writer == static_cast<std::uint32_t>(xid) || writer == 0;
    if (!ours || length < record_header || length > record_max) return std::nullopt;
    return end_of_record(start, length, layout);
}

}  // namespace pgchronicle::replicator
