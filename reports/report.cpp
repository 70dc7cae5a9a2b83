#include "reports/report.hpp"

#include <algorithm>

namespace pgchronicle::reports {

const char* name_of(ParameterType type) {
    switch (type) {
    case ParameterType::text:
        return "text";
    case ParameterType::integer:
        return "integer";
    case ParameterType::number:
        return "number";
    case ParameterType::boolean:
        return "boolean";
    case ParameterType::date:
        return "date";
    case ParameterType::timestamp:
        return "timestamp";
    }
    return "text";
}

const char* sql_type(ParameterType type) {
    switch (type) {
    case ParameterType::text:
        return "text";
    case ParameterType::integer:
        return "bigint";
    case ParameterType::number:
        return "numeric";
    case ParameterType::boolean:
        return "boolean";
    case ParameterType::date:
        return "date";
    case ParameterType::timestamp:
        return "timestamptz";
    }
    return "text";
}

const Parameter* Report::find_parameter(const std::string& wanted) const {
    const auto found = std::ranges::find(parameters, wanted, &Parameter::name);
    return found == parameters.end() ? nullptr : &*found;
}

}  // namespace pgchronicle::reports
