#include "replicator/io/commit_end.hpp"

#include "pgoutput/stream_frame.hpp"
#include "pq/copy_both.hpp"
#include "replicator/commit_record.hpp"

#include <algorithm>
#include <chrono>
#include <poll.h>

namespace pgchronicle::replicator::io {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using pgoutput::Lsn;

/// Thrice this is less than a stop may take.
constexpr auto patience = 2s;
/// The first version whose WAL nobody has looked at yet.
constexpr int unknown_version = 190000;

std::uint64_t setting(pq::Connection& source, const char* name) {
    const auto result = source.exec(
        "SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) '" +
        std::string{name} + "'"
    );
    return static_cast<std::uint64_t>(result.int64(0, 0));
}

/// Waits until the server has said more; false when it takes too long.
bool wait_for_more(pq::CopyBoth& copy, Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd readable{copy.socket(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0)
        return false;
    copy.consume();
    return true;
}

/// The commit record and what else comes with it, as it stands in the WAL.
std::optional<Lsn>
first_record(pq::CopyBoth& copy, const pgoutput::Begin& begin, const WalLayout& layout) {
    const auto deadline = Clock::now() + patience;
    for (;;) {
        const auto bytes = copy.next();
        if (bytes.empty()) {
            if (copy.ended() || !wait_for_more(copy, deadline)) return std::nullopt;
            continue;
        }
        const auto frame = pgoutput::decode_frame(bytes);
        if (!frame.ok()) return std::nullopt;
        const auto* const wal = std::get_if<pgoutput::XLogData>(&*frame);
        if (wal == nullptr) continue;
        if (wal->start_lsn != begin.final_lsn) return std::nullopt;
        return end_of_commit(begin.final_lsn, begin.xid, wal->payload, layout);
    }
}

/// The server is told, so that it does not take us for a standby that was lost.
void end_in_order(pq::CopyBoth& copy) {
    copy.end();
    const auto deadline = Clock::now() + patience;
    while (!copy.ended()) {
        if (copy.next().empty() && !copy.ended() && !wait_for_more(copy, deadline)) return;
    }
}

}  // namespace

std::optional<Lsn> read_commit_end(pq::ConnectOptions source, const pgoutput::Begin& begin) {
    source.replication = true;
    source.connect_timeout = std::min<std::chrono::milliseconds>(source.connect_timeout, patience);
    try {
        auto connection = pq::Connection::open(source);
        if (connection.server_version() >= unknown_version) return std::nullopt;
        const WalLayout layout{
            setting(connection, "wal_block_size"), setting(connection, "wal_segment_size")};
        pq::CopyBoth copy{
            std::move(connection), "START_REPLICATION PHYSICAL " + to_string(begin.final_lsn)};
        const auto end = first_record(copy, begin, layout);
        end_in_order(copy);
        return end;
    } catch (const pq::Error&) {
        return std::nullopt;  // The stream itself will say what is wrong, if anything is.
    }
}

}  // namespace pgchronicle::replicator::io
