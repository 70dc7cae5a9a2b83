#include "commands/print_rows.hpp"

#include "commands/aligned_table.hpp"
#include "reading/output.hpp"

#include <fmt/format.h>

#include <ostream>
#include <utility>

namespace pgchronicle::commands {

void print_rows(const reading::Rows& rows, std::ostream& out, bool colours) {
    std::vector<std::string> head;
    for (const auto& column : rows.columns) head.push_back(column.name);
    AlignedTable table{std::move(head)};
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
        if (reading::is_number(rows.columns[i].type_oid)) table.align_right(i);
    }
    for (const auto& row : rows.rows) {
        std::vector<std::string> cells;
        cells.reserve(row.size());
        for (const auto& value : row) cells.push_back(value.value_or("NULL"));
        table.add(std::move(cells));
    }
    table.print(out, colours);
    const auto count = rows.rows.size();
    out << fmt::format("({} row{})\n", count, count == 1 ? "" : "s");
}

}  // namespace pgchronicle::commands
