#include "reports/run_report.hpp"

#include "config/error.hpp"
#include "reading/error.hpp"
#include "reports/check_value.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::reports {
namespace {

using config::quoted;
using reading::bad_request;
using reading::ErrorKind;

std::string list_of_names(const Report& report) {
    std::string list;
    for (const Parameter& parameter : report.parameters) {
        list += (list.empty() ? "" : ", ") + parameter.name;
    }
    return list;
}

void require_known(const Report& report, const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
        if (report.find_parameter(name) != nullptr) continue;
        throw bad_request(
            fmt::format("report \"{}\" has no parameter {}", report.name, quoted(name)),
            report.parameters.empty() ? "It has none at all."
                                      : fmt::format("It has: {}.", list_of_names(report))
        );
    }
}

const std::string&
value_for(const Parameter& parameter, const std::map<std::string, std::string>& values) {
    const auto given = values.find(parameter.name);
    if (given != values.end()) return given->second;
    if (parameter.default_value) return *parameter.default_value;
    throw bad_request(
        fmt::format("parameter \"{}\" has to be given", parameter.name), expectation(parameter)
    );
}

}  // namespace

const Report& find_report(const std::vector<Report>& reports, std::string_view name) {
    const auto found = std::ranges::find(reports, name, &Report::name);
    if (found != reports.end()) return *found;
    std::string list;
    for (const Report& report : reports) list += (list.empty() ? "" : ", ") + report.name;
    throw reading::Error{
        {.kind = ErrorKind::not_found,
         .primary = fmt::format("there is no report {}", quoted(name)),
         .detail = list.empty() ? "There are none." : fmt::format("There are: {}.", list),
         .hint =
             list.empty() ? "The key reports.dir of the configuration names their folder." : ""}};
}

Bound bind(const Report& report, const std::map<std::string, std::string>& values) {
    require_known(report, values);
    Bound bound;
    for (const Parameter& parameter : report.parameters) {
        const auto& value = value_for(parameter, values);
        if (const auto fault = fault_of(parameter, value)) {
            throw bad_request(
                fmt::format(
                    "value {} of parameter \"{}\" {}", quoted(value), parameter.name, *fault
                ),
                expectation(parameter)
            );
        }
        bound.push_back(value);
    }
    return bound;
}

reading::Rows run_report(
    pq::Connection& target,
    const Report& report,
    const Bound& bound,
    const reading::Limit& limit
) {
    std::vector<pq::Param> params;
    params.reserve(bound.size());
    for (const auto& value : bound) params.push_back(pq::Param::text(value));
    return reading::read_rows(target, report.sql, params, limit);
}

}  // namespace pgchronicle::reports
