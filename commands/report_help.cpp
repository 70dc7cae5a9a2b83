#include "commands/report_help.hpp"

#include "commands/aligned_table.hpp"
#include "reports/check_value.hpp"

#include <fmt/format.h>

#include <ostream>

namespace pgchronicle::commands {
namespace {

/// "It is one of open, all." without its beginning.
std::string values_text(const reports::Parameter& parameter) {
    constexpr std::string_view beginning{"It is "};
    auto text = reports::expectation(parameter);
    if (text.starts_with(beginning)) text.erase(0, beginning.size());
    if (text.ends_with('.')) text.pop_back();
    return text;
}

}  // namespace

void print_report_help(const reports::Report& report, std::ostream& out, bool colours) {
    out << one_line(report.name);
    if (!report.description.empty()) out << ": " << one_line(report.description);
    out << '\n';
    if (!report.parameters.empty()) {
        AlignedTable table{{"parameter", "default", "is", "description"}};
        for (const auto& parameter : report.parameters) {
            const bool empty = parameter.default_value && parameter.default_value->empty();
            table.add(
                {"--" + parameter.name,
                 empty ? "''" : parameter.default_value.value_or("(has to be given)"),
                 values_text(parameter),
                 parameter.description}
            );
        }
        out << '\n';
        table.print(out, colours);
    }
    out << '\n';
    if (!report.path.empty()) out << fmt::format("path  {}\n", one_line(report.path));
    out << fmt::format("file  {}\n", one_line(report.file));
}

}  // namespace pgchronicle::commands
