#include "history_writer/pg/for_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgchronicle::history_writer::pg {

bool is_of_table(const pq::Error& error) {
    // Without an SQLSTATE it is libpq that complains, and of the connection.
    return !error.connection_lost() && !error.sqlstate().empty() &&
           error.disposition() == pq::Disposition::halt;
}

namespace {

/// What PostgreSQL says of a value whose form is that of another type: protocol_violation,
/// invalid_binary_representation, invalid_text_representation, datatype_mismatch.
bool speaks_of_another_type(const pq::Error& error) {
    constexpr std::array<std::string_view, 4> states{"08P01", "22P03", "22P02", "42804"};
    return std::ranges::find(states, error.sqlstate()) != states.end();
}

/// undefined_table, undefined_column, invalid_schema_name.
bool misses_a_part(const pq::Error& error) {
    constexpr std::array<std::string_view, 3> states{"42P01", "42703", "3F000"};
    return std::ranges::find(states, error.sqlstate()) != states.end();
}

}  // namespace

std::string hint_of(const pq::Error& error) {
    if (error.hint().empty() && speaks_of_another_type(error)) {
        return "A column of the history table may have been given another type. \"pgchronicle "
               "check\" says which; give it its type back, then start again. A narrower one is "
               "widened at the start.";
    }
    constexpr std::string_view integrity_violations = "23";
    const bool foreign =
        error.sqlstate().starts_with(integrity_violations) && !error.constraint().empty();
    if (!foreign || !error.hint().empty()) return error.hint();
    return "Constraint \"" + error.constraint() +
           "\" is not pgchronicle's. Take it away, then start again; \"pgchronicle check\" prints "
           "the SQL.";
}

TableFailure failure_of(const HistoryTable& table, const char* doing, const pq::Error& error) {
    auto detail = error.detail();
    if (!detail.empty()) detail += ' ';
    detail +=
        "Table \"" + table.source_schema + "." + table.source_table + "\" was being " + doing + ".";
    auto hint = hint_of(error);
    if (hint.empty() && misses_a_part(error)) {
        hint =
            "The history table was dropped, renamed or altered. Put it back as it was, from a "
            "backup where it is gone, then start again; \"pgchronicle verify\" says whether it "
            "is whole.";
    }
    return {table, error.primary(), std::move(detail), std::move(hint)};
}

}  // namespace pgchronicle::history_writer::pg
