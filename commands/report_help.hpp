#pragma once

#include "reports/report.hpp"

#include <iosfwd>

namespace pgchronicle::commands {

/// What a report is, and a line for each of its parameters: type, default, and what it may be.
void print_report_help(const reports::Report& report, std::ostream& out, bool colours = false);

}  // namespace pgchronicle::commands
