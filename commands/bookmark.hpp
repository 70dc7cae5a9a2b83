#pragma once

#include "config/settings.hpp"

#include <iosfwd>
#include <string>

namespace pgchronicle::commands {

// A bookmark keeps an LSN replayable: a copy of the slot on the source, and a row in
// pgchronicle.bookmark that says what the checkpoint was then. The row is written first and
// completed last, so that whatever is left by a kill is listed, and can be dropped.
// All return the exit code and throw pq::Error.

/// Makes a bookmark where the checkpoint stands now. `run` may go on meanwhile.
int bookmark_add(
    const config::Settings& settings,
    const std::string& name,
    std::ostream& out,
    std::ostream& err
);

/// Every bookmark, with the WAL that it keeps on the source.
int bookmark_list(const config::Settings& settings, std::ostream& out);

struct BookmarkDropOptions {
    std::string name;
    std::string reason{"none given"};  ///< What the audit row says; may not be empty.
};

/// Drops the slot, then the row.
int bookmark_drop(
    const config::Settings& settings,
    const BookmarkDropOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
