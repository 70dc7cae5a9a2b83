#include "commands/aligned_table.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace pgchronicle::commands {
namespace {

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::size_t display_width(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
        return !continues_character(c);
    }));
}

AlignedTable::AlignedTable(std::vector<std::string> head) : right_(head.size(), false) {
    std::vector<Style> bold(head.size(), Style::bold);
    add(std::move(head), std::move(bold));
}

void AlignedTable::add(std::vector<std::string> cells, std::vector<Style> styles) {
    for (std::string& cell : cells) cell = one_line(cell);
    styles.resize(cells.size(), Style::plain);
    rows_.push_back({std::move(cells), std::move(styles)});
}

std::string
AlignedTable::line_of(const Row& row, const std::vector<std::size_t>& widths, bool colours) const {
    std::string line;
    std::string gap;  // Before the next cell; not at the line's end.
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        const std::string& cell = row.cells[i];
        const std::string padding(widths[i] - display_width(cell), ' ');
        if (right_[i]) gap += padding;
        if (!cell.empty()) {
            line += gap + styled(cell, row.styles[i], colours);
            gap.clear();
        }
        gap += "  ";
        if (!right_[i]) gap += padding;
    }
    return line;
}

void AlignedTable::print(std::ostream& out, bool colours) const {
    std::vector<std::size_t> widths(rows_.front().cells.size());
    for (const Row& row : rows_) {
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row.cells[i]));
        }
    }
    for (const Row& row : rows_) out << line_of(row, widths, colours) << '\n';
}

}  // namespace pgchronicle::commands
