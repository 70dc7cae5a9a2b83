#pragma once

#include "config/settings.hpp"
#include "reading/output.hpp"

#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct ReportOptions {
    std::string name{};                           ///< Empty: the reports are listed.
    std::map<std::string, std::string> values{};  ///< Of parameters, by name.
    std::optional<reading::Format> format{};      ///< By default a table; in files, CSV.
    bool all{false};                              ///< Every report, with its defaults, into files.
    /// Folder to write to, in place of standard output; it is made where it is missing.
    std::optional<std::string> export_dir{};
    bool help{false};     ///< What the report is, and its parameters, in place of running it.
    bool colours{false};  ///< Of the table.
};

/// What the command line says beside its known options: --limit 3, --limit=3. Throws reading::Error
/// for anything else.
[[nodiscard]] std::map<std::string, std::string>
values_of(const std::vector<std::string>& arguments, const std::vector<std::string>& pairs);

/// Lists the reports, or runs one or all. Files are <name>_result_<UTC time>.csv or .json; each is
/// there as a whole or not at all, and of all reports, none is where one fails. All see one
/// snapshot. Returns 0; 3 where a report's SQL cannot run, 4 where that may pass, with the reason
/// on `err`. Throws reading::Error for an unknown report and a value that does not fit;
/// config::ConfigError for a definition with faults; pq::Error.
int run_reports(
    const config::Settings& settings,
    const ReportOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
