#pragma once

#include "reading/rows.hpp"

#include <iosfwd>

namespace pgchronicle::commands {

/// Rows as an aligned table with their number below; numbers to the right, NULL as such.
void print_rows(const reading::Rows& rows, std::ostream& out, bool colours = false);

}  // namespace pgchronicle::commands
