#pragma once

#include "config/settings.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct WatchOptions {
    std::vector<std::string> tables{};      ///< schema.table or table, with * and ?; none: all.
    std::vector<std::string> operations{};  ///< INSERT, ...; none: all.
    bool snapshot{false};                   ///< Rows that were copied, too.
    std::string from{};     ///< A position; empty: what comes from now on. A cursor's own wins.
    std::string cursor{};   ///< Where the target keeps the position; empty: nowhere.
    std::string program{};  ///< Run for each change; empty: changes are written to stdout.
    unsigned jobs{1};       ///< So many programs at a time, for different rows.
    bool until_current{false};
};

/// Follows the changes of the history: writes each as a line of JSON to the standard output, or
/// runs a program for it until that succeeds. Goes on until it is told to stop, or nobody reads any
/// more; what is in hand is finished. Returns 0; 2 for wrong options or unknown tables; 3 when
/// another follows with the same cursor, or the program is not there; 4 when it was given up.
/// Throws pq::Error where that cannot pass, or for the first connection.
int watch(const config::Settings& settings, const WatchOptions& options, std::ostream& err);

}  // namespace pgchronicle::commands
