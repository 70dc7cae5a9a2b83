#include "source_catalog/visible.hpp"

#include <algorithm>
#include <string>
#include <thread>

namespace pgchronicle::source_catalog {

namespace {

constexpr std::chrono::milliseconds pause_min{1};
constexpr std::chrono::milliseconds pause_max{50};

/// The stream has the lower half of a transaction's number; the whole one is the nearest to what is
/// given next.
bool is_visible(pq::Connection& source, pgoutput::Xid xid) {
    const auto row = source.exec(
        "SELECT pg_catalog.pg_visible_in_snapshot("
        "(next + (($1::bigint - next + 2147483648) & 4294967295) - 2147483648)"
        "::text::pg_catalog.xid8, snapshot)"
        " FROM (SELECT snapshot, pg_catalog.pg_snapshot_xmax(snapshot)::text::bigint AS next"
        " FROM pg_catalog.pg_current_snapshot() AS snapshot) AS now",
        {std::to_string(static_cast<std::uint32_t>(xid))}
    );
    return row.boolean(0, 0);
}

}  // namespace

bool wait_until_visible(
    pq::Connection& source,
    pgoutput::Xid xid,
    std::chrono::milliseconds patience
) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto pause = pause_min; !is_visible(source, xid); pause = std::min(2 * pause, pause_max)) {
        if (std::chrono::steady_clock::now() >= until) return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace pgchronicle::source_catalog
