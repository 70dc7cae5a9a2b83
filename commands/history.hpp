#pragma once

#include "config/settings.hpp"
#include "reading/output.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct HistoryOptions {
    std::string table{};             ///< As the source calls it: schema.table, or table alone.
    std::vector<std::string> key{};  ///< Values of the row key's columns, in key order, as text.
    reading::Format format{reading::Format::table};
    bool colours{false};  ///< Of the table.
};

/// Every version of one row in order, with what changed against the version before. Returns 0; 1
/// when there is no such row. The reason goes to `err`.
/// Throws reading::Error when there is no such table, it has no key, or the key does not fit it;
/// pq::Error.
int history(
    const config::Settings& settings,
    const HistoryOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
