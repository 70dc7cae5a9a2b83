#include "commands/history.hpp"

#include "commands/connect.hpp"
#include "commands/refusal.hpp"
#include "commands/row_versions.hpp"
#include "reading/checkpoint.hpp"
#include "reading/row_history.hpp"

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <vector>

namespace pgchronicle::commands {
namespace {

std::string title_of(const reading::HistoryTable& table, const std::vector<std::string>& key) {
    std::string title = table.name();
    for (std::size_t i = 0; i < key.size(); ++i) {
        title += fmt::format(", {} = {}", table.row_key[i], key[i]);
    }
    return title;
}

RowVersions versions_of(
    const reading::HistoryTable& table,
    const reading::RowHistory& found,
    std::string title
) {
    RowVersions row{.title = std::move(title), .columns = {}, .versions = {}};
    for (const auto& column : table.columns) row.columns.push_back(column.name);
    for (const reading::Version& version : found.versions) {
        row.versions.push_back(
            {.valid_from = version.valid_from,
             .valid_to = version.valid_to.value_or(""),
             .operation = version.operation_type,
             .lsn_from = to_string(version.lsn_from),
             .change_seq = std::to_string(version.change_seq),
             .values = version.values}
        );
    }
    return row;
}

/// Written version by version: there may be millions.
void write_csv(
    const reading::HistoryTable& table,
    const std::vector<reading::Version>& versions,
    std::ostream& out
) {
    out << reading::to_csv({.columns = reading::version_columns(table), .rows = {}});
    for (const auto& version : versions) {
        std::string line;
        reading::append_csv_line(line, reading::to_row(version));
        out << line;
    }
}

void write_json(
    const reading::HistoryTable& table,
    const reading::RowHistory& row,
    std::optional<pgoutput::Lsn> position,
    std::ostream& out
) {
    out << reading::json_head(table, row.key, position);
    const char* separator = "";
    for (const auto& version : row.versions) {
        std::string text{separator};
        reading::append_json(text, table, version);
        out << text;
        separator = ",";
    }
    out << "]}\n";
}

}  // namespace

int history(
    const config::Settings& settings,
    const HistoryOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    auto target = connect(settings.target.connection, "history");
    const auto table = reading::find_table(target, settings, options.table);
    // Before the rows: what is known up to there is in them.
    const auto checkpoint = reading::read_checkpoint(target, settings.pipeline);
    const auto row = reading::read_row_history(target, table, options.key, {});
    const std::string title = title_of(table, options.key);
    if (row.versions.empty()) {
        return report(
            Refusal{
                .exit_code = exit_check_failed, .primary = fmt::format("no version of {}", title)},
            err
        );
    }
    switch (options.format) {
    case reading::Format::table:
        print_versions(versions_of(table, row, title), out, options.colours);
        break;
    case reading::Format::csv:
        write_csv(table, row.versions, out);
        break;
    case reading::Format::json:
        write_json(
            table, row, checkpoint ? std::optional{checkpoint->position} : std::nullopt, out
        );
        break;
    }
    return exit_done;
}

}  // namespace pgchronicle::commands
