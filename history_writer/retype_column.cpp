#include "history_writer/retype_column.hpp"

namespace pgchronicle::history_writer {

// The two functions beside the view do not depend on the columns.
std::string retype_column_sql(const RetypedColumn& retyped) {
    return "DROP VIEW " + retyped.view + ";\nALTER TABLE " + retyped.table + " ALTER COLUMN " +
           retyped.column + " TYPE " + retyped.type_sql + " USING " + retyped.column +
           "::" + retyped.type_sql + ";\nCREATE VIEW " + retyped.view + " AS SELECT * FROM " +
           retyped.table + " WHERE " + retyped.is_current + ";\nALTER VIEW " + retyped.view +
           " OWNER TO " + retyped.role + ";";
}

}  // namespace pgchronicle::history_writer
