#pragma once

#include "reports/named_parameters.hpp"
#include "reports/report.hpp"

#include <string>
#include <string_view>
#include <vector>

// The comment block at the top of a report's file. Text only.

namespace pgchronicle::reports {

/// What the block says, and in which lines.
struct Definition {
    Report report;  ///< Without `sql` and `file`.
    int name_line{1};
    int path_line{1};
    std::vector<int> parameter_lines;  ///< One for each parameter.
    std::size_t sql_begins{0};         ///< Byte of `text` after the block,
    int sql_line{1};                   ///< and the number of that line.
    std::vector<Fault> faults;
};

/// Reads `-- name:`, `-- path:`, `-- description:` and `-- param:` at the top of `text`.
[[nodiscard]] Definition read_definition(std::string_view text);

}  // namespace pgchronicle::reports
