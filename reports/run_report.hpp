#pragma once

#include "pq/connection.hpp"
#include "reading/rows.hpp"
#include "reports/report.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::reports {

/// A value for each parameter of a report, in order, checked.
using Bound = std::vector<std::string>;

/// The report of that name. Throws reading::Error not_found.
[[nodiscard]] const Report& find_report(const std::vector<Report>& reports, std::string_view name);

/// The values that are given, by name, and defaults for the others. Throws reading::Error
/// bad_request: unknown parameter, missing value, wrong type, out of range, not allowed.
[[nodiscard]] Bound bind(const Report& report, const std::map<std::string, std::string>& values);

/// Runs it in the read-only transaction that is open. Throws reading::Error too_large; pq::Error.
[[nodiscard]] reading::Rows run_report(
    pq::Connection& target,
    const Report& report,
    const Bound& bound,
    const reading::Limit& limit
);

}  // namespace pgchronicle::reports
