#pragma once

#include <string>
#include <string_view>
#include <vector>

// SQL with :name in it, as reports are written. Text only.

namespace pgchronicle::reports {

/// One thing that is wrong with a definition, and in which line of it.
struct Fault {
    int line{0};  ///< From 1.
    std::string message;
    std::string hint{};

    friend bool operator==(const Fault&, const Fault&) = default;
};

/// A parameter as the server takes it.
struct Placeholder {
    std::string name;
    std::string sql_type;
};

/// What became of a statement.
struct Numbered {
    std::string sql;
    std::vector<bool> used;       ///< One for each placeholder.
    std::vector<Fault> faults{};  ///< With any, `sql` is not to be used.
};

/// Replaces each :name by the number and type of the placeholder of that name: $1::bigint. Strings,
/// quoted names, dollar-quoted texts, comments and casts (::) stay as they are. A semicolon at the
/// end is dropped. Faults: an unknown name, a number ($1), more than one statement, a statement
/// that reads nothing, a quote without its end. `first_line` is the number of the first line of
/// `sql`.
[[nodiscard]] Numbered number_parameters(
    std::string_view sql,
    const std::vector<Placeholder>& placeholders,
    int first_line
);

}  // namespace pgchronicle::reports
