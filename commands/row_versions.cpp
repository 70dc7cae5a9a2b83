#include "commands/row_versions.hpp"

#include "commands/aligned_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <ostream>

namespace pgchronicle::commands {
namespace {

/// A longer value would push the ones beside it off the screen.
constexpr std::size_t value_width_max = 40;

/// Where print_versions puts it.
constexpr std::size_t operation_column = 2;

/// What ends a row, and what begins one.
Style style_of(const std::string& operation) {
    if (operation == "DELETE" || operation == "TRUNCATE" || operation == "REKEY") return Style::red;
    if (operation == "INSERT" || operation == "SNAPSHOT") return Style::green;
    return Style::plain;
}

std::string shown_value(const std::optional<std::string>& value) {
    if (!value) return "NULL";
    // Text that looks like nothing, or like NULL, is told apart by quotes.
    if (value->empty() || *value == "NULL") return "'" + *value + "'";
    return one_line(*value, value_width_max);
}

bool same_in_all(const RowVersions& row, std::size_t column) {
    return std::ranges::all_of(row.versions, [&](const RowVersion& version) {
        return version.values[column] == row.versions.front().values[column];
    });
}

}  // namespace

void print_versions(const RowVersions& row, std::ostream& out, bool colours) {
    std::vector<std::size_t> changing;
    std::vector<std::size_t> constant;
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
        (same_in_all(row, i) ? constant : changing).push_back(i);
    }
    std::vector<std::string> head{"valid_from", "valid_to", "operation", "lsn_from", "seq"};
    for (const std::size_t i : changing) head.push_back(row.columns[i]);
    AlignedTable table{std::move(head)};
    const RowVersion* before = nullptr;
    for (const RowVersion& version : row.versions) {
        std::vector<std::string> cells{
            version.valid_from,
            version.valid_to.empty() ? "(current)" : version.valid_to,
            version.operation,
            version.lsn_from,
            version.change_seq,
        };
        std::vector<Style> styles(cells.size(), Style::plain);
        styles[operation_column] = style_of(version.operation);
        for (const std::size_t i : changing) {
            const bool changed = before != nullptr && before->values[i] != version.values[i];
            cells.push_back((changed ? "*" : " ") + shown_value(version.values[i]));
            styles.push_back(changed ? Style::yellow : Style::plain);
        }
        table.add(std::move(cells), std::move(styles));
        before = &version;
    }
    const std::size_t count = row.versions.size();
    out << fmt::format("{}: {} version{}\n\n", one_line(row.title), count, count == 1 ? "" : "s");
    table.print(out, colours);
    if (constant.empty()) return;
    out << (count == 1 ? "\n" : "\nthe same in every version:\n");
    std::size_t width = 0;
    for (const std::size_t i : constant) width = std::max(width, display_width(row.columns[i]));
    for (const std::size_t i : constant) {
        const std::string name = one_line(row.columns[i]);
        const std::string padding(width - std::min(width, display_width(name)), ' ');
        out << fmt::format(
            "    {}{} = {}\n", name, padding, shown_value(row.versions.front().values[i])
        );
    }
}

}  // namespace pgchronicle::commands
