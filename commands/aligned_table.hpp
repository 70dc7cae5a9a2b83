#pragma once

#include "log/printable.hpp"

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace pgchronicle::commands {

using log::one_line;

/// Rows of text in columns as wide as their widest cell. Cells are made safe for a terminal: one
/// line each, no control characters.
class AlignedTable {
public:
    explicit AlignedTable(std::vector<std::string> head);

    /// A row with a cell for each column of the head.
    void add(std::vector<std::string> cells);

    void print(std::ostream& out) const;

private:
    std::vector<std::vector<std::string>> rows_;  ///< The head is the first one.
};

/// Characters, as far as bytes tell: combining and wide ones count as one.
[[nodiscard]] std::size_t display_width(const std::string& text);

}  // namespace pgchronicle::commands
