#pragma once

#include "pgoutput/lsn.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// A standby that is promoted goes on in a timeline of its own, and the server's history file tells
// where it left the others.

namespace pgchronicle::commands {

/// An ancestor of a timeline, and where it was left.
struct TimelineEnd {
    std::uint32_t timeline{0};
    pgoutput::Lsn end;

    friend bool operator==(const TimelineEnd&, const TimelineEnd&) = default;
};

/// Reads a history file, as TIMELINE_HISTORY sends it: the ancestors, the oldest first. Lines of
/// another form, which are comments, are passed over.
/// Source: PostgreSQL, src/backend/access/transam/timeline.c, readTimeLineHistory.
[[nodiscard]] std::vector<TimelineEnd> parse_timeline_history(std::string_view content);

/// Up to where a server with these ancestors holds what was written on timeline `then`; nothing
/// where it does not come from there.
[[nodiscard]] std::optional<pgoutput::Lsn>
shared_until(std::span<const TimelineEnd> ancestors, std::uint32_t then);

}  // namespace pgchronicle::commands
