#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace pgchronicle::commands {

struct RepairSkipOptions {
    std::string reason;               ///< What the audit row says; may not be empty.
    std::optional<pgoutput::Lsn> to;  ///< Where to go on; found by trial when not given.
    bool asks{false};                 ///< Before anything is passed: somebody is there to answer.
};

/// Passes changes that the slot cannot decode, or that it has passed without us: records them as
/// a gap, with an audit row, moves the checkpoint if there is one, and only then the slot. Killed
/// in between, it can be run again. Holds the pipeline's lock meanwhile.
/// Asks on `out` and `in` where it is told to. Returns the exit code: 0 done, or nothing to do;
/// 2 for impossible options; 3 where it refuses, with the reason on `err`.
/// Throws pq::Error.
int repair_skip(
    const config::Settings& settings,
    const RepairSkipOptions& options,
    std::istream& in,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
