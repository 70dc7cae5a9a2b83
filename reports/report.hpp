#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::reports {

enum class ParameterType : std::uint8_t { text, integer, number, boolean, date, timestamp };

/// The name that definitions and OpenAPI's readers know it by: "integer".
[[nodiscard]] const char* name_of(ParameterType type);

/// A parameter of a report. Its value reaches the SQL as a bound parameter of PostgreSQL's type
/// `sql_type`, and in no other way.
struct Parameter {
    std::string name;
    ParameterType type{ParameterType::text};
    std::optional<std::string> default_value{};  ///< None: it has to be given.
    std::vector<std::string> allowed{};          ///< Only these; empty: any.
    std::optional<std::int64_t> min{};           ///< Of integer and number.
    std::optional<std::int64_t> max{};
    std::string description{};

    friend bool operator==(const Parameter&, const Parameter&) = default;
};

/// PostgreSQL's name for the type: bigint for an integer.
[[nodiscard]] const char* sql_type(ParameterType type);

/// One definition, from which the command, the files, the endpoint and its documentation follow.
struct Report {
    std::string name;  ///< Lower case letters, digits and _.
    std::string path;  ///< Of the endpoint: /orders/top. Empty: it has none.
    std::string description;
    std::vector<Parameter> parameters;  ///< As declared. Number i is $i+1 in `sql`.
    std::string sql;                    ///< Its parameters are $1, ...
    std::string file;                   ///< Where it was read from.

    [[nodiscard]] const Parameter* find_parameter(const std::string& wanted) const;

    friend bool operator==(const Report&, const Report&) = default;
};

}  // namespace pgchronicle::reports
