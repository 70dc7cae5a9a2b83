#pragma once

#include "commands/colour.hpp"
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

    /// A row with a cell for each column of the head, and the cells' styles; none: all plain.
    void add(std::vector<std::string> cells, std::vector<Style> styles = {});

    /// Numbers end where the column does.
    void align_right(std::size_t column) { right_[column] = true; }

    /// Without colours, styles are not shown. The head is bold.
    void print(std::ostream& out, bool colours = false) const;

private:
    struct Row {
        std::vector<std::string> cells;
        std::vector<Style> styles;
    };
    [[nodiscard]] std::string
    line_of(const Row& row, const std::vector<std::size_t>& widths, bool colours) const;

    std::vector<Row> rows_;  ///< The head is the first one.
    std::vector<bool> right_;
};

/// Characters, as far as bytes tell: combining and wide ones count as one.
[[nodiscard]] std::size_t display_width(const std::string& text);

}  // namespace pgchronicle::commands
