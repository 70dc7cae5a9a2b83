#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::commands {

/// One version of a row, its values as text.
struct RowVersion {
    std::string valid_from;
    std::string valid_to;  ///< Empty while open.
    std::string operation;
    std::string lsn_from;
    std::string change_seq;
    std::vector<std::optional<std::string>> values;  ///< One for each of `columns`.
};

struct RowVersions {
    std::string title;                 ///< What row: "operations.orders, order_id = 42".
    std::vector<std::string> columns;  ///< The source's.
    std::vector<RowVersion> versions;  ///< In order.
};

/// A table with a line for each version and a column for each value that is not the same in all of
/// them; a value that differs from the version before is marked with '*', and coloured. What is the
/// same in all is listed below.
void print_versions(const RowVersions& row, std::ostream& out, bool colours = false);

}  // namespace pgchronicle::commands
