#pragma once

#include "config/settings.hpp"
#include "reading/output.hpp"

#include <chrono>
#include <iosfwd>

namespace pgchronicle::commands {

struct StatusOptions {
    reading::Format format{reading::Format::table};
    bool colours{false};  ///< Of the text.
    /// How long to wait for a sign of rows being stored, twice at most; 0: do not. Servers tell of
    /// them about once a second.
    std::chrono::milliseconds patience{1500};
};

/// One look at the pipeline: state, lag, rows per second, slot, tables, gaps. Either side may be
/// unreachable; what it alone knows is then left out. Holds no secret. Returns 0, or 1 without the
/// target.
int status(const config::Settings& settings, const StatusOptions& options, std::ostream& out);

}  // namespace pgchronicle::commands
