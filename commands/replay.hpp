#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace pgchronicle::commands {

struct ReplayOptions {
    std::string from;                  ///< A bookmark's name, or an LSN.
    std::string reason{"none given"};  ///< What the audit row says; may not be empty.
    std::string into;  ///< Schema of a copy that is built beside the history; empty: none.
    std::optional<pgoutput::Lsn> until{};  ///< With `into`: where the copy ends.
};

/// Into which schema a range is replayed where none is named: target.schema, `_replay` behind it.
[[nodiscard]] std::string schema_of_range(const config::Settings& settings);

/// Sets the history back, in one transaction on the target that also says that a replay is under
/// way, and from which slot: a copy that was made for it. Whoever runs the pipeline next streams
/// what is missing from there. Where that replay is under way already, nothing is done.
/// Returns nothing when it can be streamed now, else the exit code, with the reason on `err`.
/// Throws pq::Error.
[[nodiscard]] std::optional<int> begin_replay(
    const config::Settings& settings,
    const ReplayOptions& options,
    std::ostream& out,
    std::ostream& err
);

/// The pipeline of the copy in schema `into`: named after it, and else the same.
[[nodiscard]] config::Settings
settings_of_copy(const config::Settings& settings, const std::string& into);

/// The same with `into`: the history as of `from` is copied to another schema, under a pipeline of
/// its own that streams it on to `until`. `run` may go on meanwhile. A copy that was made there
/// before is replaced.
[[nodiscard]] std::optional<int> begin_replay_into(
    const config::Settings& settings,
    const ReplayOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
