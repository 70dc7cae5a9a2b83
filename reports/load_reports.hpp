#pragma once

#include "reports/report.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::reports {

/// Reads every *.sql file of a folder, by name of the report.
/// Throws config::ConfigError with every problem found: file and line, and what is wrong; also
/// where two reports have one name or one path. An empty `dir`: no reports.
[[nodiscard]] std::vector<Report> load_reports(const std::string& dir);

/// The definition in `text`; `file` is what errors call it. Throws config::ConfigError.
[[nodiscard]] Report parse_report(const std::string& file, std::string_view text);

}  // namespace pgchronicle::reports
