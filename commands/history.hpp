#pragma once

#include "config/settings.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct HistoryOptions {
    std::string table;             ///< As the source calls it: schema.table, or table alone.
    std::vector<std::string> key;  ///< Values of the row key's columns, in key order, as text.
};

/// Every version of one row in order, with what changed against the version before. Returns 0; 1
/// when there is no such row; 2 when there is no such table, it has no key, or the key does not fit
/// it. Reasons go to `err`.
/// Throws pq::Error.
int history(
    const config::Settings& settings,
    const HistoryOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
