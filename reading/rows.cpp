#include "reading/rows.hpp"

#include "pq/column_type.hpp"

#include <cstddef>
#include <utility>

namespace pgchronicle::reading {

Value value_of(const pq::Result& result, int row, int column) {
    if (result.null(row, column)) return std::nullopt;
    return result.str(row, column);
}

Rows rows_of(const pq::Result& result) {
    Rows all;
    for (int column = 0; column < result.columns(); ++column) {
        all.columns.push_back(
            {.name = result.name(column), .type = {}, .type_oid = pq::column_type(result, column)}
        );
    }
    all.rows.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) {
        auto& values = all.rows.emplace_back();
        values.reserve(all.columns.size());
        for (int column = 0; column < result.columns(); ++column) {
            values.push_back(value_of(result, row, column));
        }
    }
    return all;
}

}  // namespace pgchronicle::reading
