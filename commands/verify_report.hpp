#pragma once

#include "verify/report.hpp"

#include <iosfwd>

// The two forms of what `verify` found. No I/O but the streams.

namespace pgchronicle::commands {

void print_text(const verify::Report& report, std::ostream& out);
void print_json(const verify::Report& report, std::ostream& out);

}  // namespace pgchronicle::commands
