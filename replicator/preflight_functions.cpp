#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"

#include <utility>

// Functions of the target that are called for new versions.

namespace pgchronicle::replicator {
namespace {

std::string quoted_function(const ChangeFunction& function) {
    const auto dot = function.name.find('.');
    return pq::quote_qualified(function.name.substr(0, dot), function.name.substr(dot + 1));
}

Problem missing(const ChangeFunction& function) {
    Problem problem{
        .where = Side::target,
        .what = "function " + shown(function.name) + " does not exist with one argument of type " +
                "jsonb",
        .detail = "It is to be called for each change of table " + shown(function.table) + ".",
        .mending_sql = "CREATE FUNCTION " + quoted_function(function) +
                       "(change jsonb) RETURNS void\nLANGUAGE plpgsql AS $$\nBEGIN\n    NULL;  -- "
                       "change->>'op', change->'key', change->'values'\nEND $$;"};
    if (!function.others.empty()) {
        problem.detail += " There is " + joined(function.others) + ".";
    }
    return problem;
}

Problem barred(const ChangeFunction& function, const std::string& role_name) {
    const auto schema = pq::quote_identifier(function.name.substr(0, function.name.find('.')));
    const auto role = pq::quote_identifier(role_name);
    std::string sql = "GRANT USAGE ON SCHEMA ";
    sql.append(schema).append(" TO ").append(role).append(";\nGRANT EXECUTE ON FUNCTION ");
    sql.append(quoted_function(function)).append("(jsonb) TO ").append(role).append(";");
    return {
        .where = Side::target,
        .what = "role " + shown(role_name) + " may not call function " + shown(function.name),
        .detail = "It is called for each change of table " + shown(function.table) + ".",
        .mending_sql = std::move(sql)};
}

}  // namespace

void judge_change_functions(const TargetFacts& target, std::vector<Problem>& problems) {
    for (const auto& function : target.change_functions) {
        if (!function.exists) {
            problems.push_back(missing(function));
            continue;
        }
        if (function.returns_rows) {
            problems.push_back(
                {.where = Side::target,
                 .what = "function " + shown(function.name) + " returns a set of rows",
                 .detail = "It is called once for each change of table " + shown(function.table) +
                           ", and its result is not looked at.",
                 .hint = "Let it return void."}
            );
        }
        if (!function.executable) {
            problems.push_back(barred(function, target.role));
        }
    }
}

}  // namespace pgchronicle::replicator
