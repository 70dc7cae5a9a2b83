#pragma once

#include "commands/status_report.hpp"
#include "config/settings.hpp"
#include "pq/connection.hpp"
#include "reading/output.hpp"

#include <chrono>
#include <iosfwd>
#include <optional>

namespace pgchronicle::commands {

struct StatusOptions {
    reading::Format format{reading::Format::table};
    bool colours{false};  ///< Of the text.
    /// How long to wait for a sign of rows being stored, twice at most; 0: do not. Servers tell of
    /// them about once a second.
    std::chrono::milliseconds patience{1500};
};

/// What looks at the pipeline are made over.
struct StatusConnections {
    pq::ConnectOptions target_options;
    pq::ConnectOptions source_options;
    std::optional<pq::Connection> target{};  ///< Kept, where it is not lost, for the next look.
    std::optional<pq::Connection> source{};
    bool asks_source{true};  ///< Else what only the source knows is left out.
    /// Rows inserted so far, by the target's statistics, as of the last look.
    std::optional<std::int64_t> versions_inserted{};
};

/// One look. Either side may be unreachable; what it alone knows is then left out, and the report
/// says why. Waits twice for at most `patience` for a sign of rows being stored.
[[nodiscard]] StatusReport read_status(
    const config::Settings& settings,
    StatusConnections& connections,
    std::chrono::milliseconds patience
);

/// One look at the pipeline: state, lag, rows per second, slot, tables, gaps. Either side may be
/// unreachable; what it alone knows is then left out. Holds no secret. Returns 0, or 1 without the
/// target.
int status(const config::Settings& settings, const StatusOptions& options, std::ostream& out);

}  // namespace pgchronicle::commands
