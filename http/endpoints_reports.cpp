#include "http/endpoints.hpp"
#include "reading/output.hpp"
#include "reports/run_report.hpp"

#include <map>
#include <string>

namespace pgchronicle::http {

namespace {

std::map<std::string, std::string> values_of(const Query& query) {
    std::map<std::string, std::string> values;
    for (const auto& [name, _] : query.items()) values[name] = *query.one(name);
    return values;
}

reading::Limit report_bytes() {
    return {
        .bytes_max = answer_bytes_max,
        .hint =
            "Ask for less through the report's parameters, or use \"pgchronicle report\", which "
            "has no limit."};
}

ParameterDoc doc_of(const reports::Parameter& parameter) {
    ParameterDoc doc;
    doc.name = parameter.name;
    doc.description = parameter.description;
    doc.required = !parameter.default_value;
    doc.default_value = parameter.default_value;
    doc.allowed = parameter.allowed;
    doc.min = parameter.min;
    doc.max = parameter.max;
    switch (parameter.type) {
    case reports::ParameterType::text:
        break;
    case reports::ParameterType::integer:
        doc.type = "integer";
        break;
    case reports::ParameterType::number:
        doc.type = "number";
        break;
    case reports::ParameterType::boolean:
        doc.type = "boolean";
        break;
    case reports::ParameterType::date:
        doc.format = "date";
        break;
    case reports::ParameterType::timestamp:
        doc.format = "date-time";
        break;
    }
    return doc;
}

Route route_of(const reports::Report& report) {
    Route route;
    route.path = report.path;
    route.name = "report_" + report.name;
    route.summary = report.description;
    route.answer = [&report](pq::Connection& target, const Request& request) {
        const auto bound = reports::bind(report, values_of(request.query));
        Answer answer;
        answer.body = reading::to_json(reports::run_report(target, report, bound, report_bytes()));
        return answer;
    };
    route.check = [&report](const Request& request) {
        (void)reports::bind(report, values_of(request.query));
    };
    for (const auto& parameter : report.parameters) route.parameters.push_back(doc_of(parameter));
    if (report.find_parameter("min_lsn") == nullptr) {
        route.parameters.push_back(
            {.name = "min_lsn",
             .description = "Waits up to ten seconds until the history has reached this LSN"}
        );
    }
    route.schema = R"({"type":"array","items":{"type":"object"}})";
    route.group = "reports";
    return route;
}

}  // namespace

void add_report_endpoints(Router& router, const std::vector<reports::Report>& reports) {
    for (const auto& report : reports) {
        if (!report.path.empty()) router.add(route_of(report));
    }
}

}  // namespace pgchronicle::http
