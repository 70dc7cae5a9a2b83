#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"

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
            const auto dot = function.name.find('.');
            const auto role = pq::quote_identifier(target.role);
            problems.push_back(
                {.where = Side::target,
                 .what = "role " + shown(target.role) + " may not call function " +
                         shown(function.name),
                 .detail = "It is called for each change of table " + shown(function.table) + ".",
                 .mending_sql = "GRANT USAGE ON SCHEMA " +
                                pq::quote_identifier(function.name.substr(0, dot)) + " TO " + role +
                                ";\nGRANT EXECUTE ON FUNCTION " + quoted_function(function) +
                                "(jsonb) TO " + role + ";"}
            );
        }
    }
}

}  // namespace pgchronicle::replicator
