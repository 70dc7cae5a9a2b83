#pragma once

#include <string>

namespace pgchronicle::history_writer {

/// A column of a history table that has another type than the source's. Every name as SQL has it:
/// qualified where it can be, and quoted.
struct RetypedColumn {
    std::string table;
    std::string view;  ///< Of the open versions; it depends on every column.
    std::string column;
    std::string type_sql;    ///< What is due.
    std::string is_current;  ///< The column of that name.
    std::string role;        ///< Who writes, and has to own the view.
};

/// What an operator may run to alter it, one statement a line. Whether its values can be cast is
/// for them to know.
[[nodiscard]] std::string retype_column_sql(const RetypedColumn& retyped);

}  // namespace pgchronicle::history_writer
