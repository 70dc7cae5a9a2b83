#include "replicator/io/key_equality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pgchronicle::replicator::io {

using history_writer::WireForm;

bool equal_on_source(
    pq::Connection& source,
    const source_catalog::Table& table,
    const history_writer::KeyQuestion& question,
    WireForm form,
    log::Logger& log
) {
    std::string before;
    std::string after;
    std::vector<pq::Param> values;
    const auto add = [&](std::string& row, const std::string& value, const auto& column) {
        values.push_back(pq::Param::text(value));
        values.back().binary = form == WireForm::binary;
        row += fmt::format("{}${}::{}", row.empty() ? "" : ", ", values.size(), column.type_sql);
        if (!column.collation_sql.empty()) row += " COLLATE " + column.collation_sql;
    };
    for (const auto& asked : question.columns) {
        const auto& name = question.table->columns[asked.column].source_name;
        const auto column = std::ranges::find(table.columns, name, &source_catalog::Column::name);
        if (column == table.columns.end()) return false;
        add(before, asked.before, *column);
        add(after, asked.after, *column);
    }
    try {
        // It goes by the types' own equality, whatever schema that lives in.
        const auto sql =
            fmt::format("SELECT pg_catalog.record_eq(ROW({}), ROW({}))", before, after);
        return source.exec(sql, values).boolean(0, 0);
    } catch (const pq::Error& error) {
        if (error.disposition() != pq::Disposition::halt) throw;
        log.warn(
            "keys_not_compared", {{"table", qualified(table)}, {"error", std::string{error.what()}}}
        );
        return false;
    }
}

}  // namespace pgchronicle::replicator::io
