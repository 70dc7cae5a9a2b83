#include "reading/rows.hpp"

#include "pq/column_type.hpp"
#include "reading/error.hpp"

#include <fmt/format.h>

namespace pgchronicle::reading {

namespace {

/// Types are known by their OID.
std::vector<Column> columns_of(const pq::Result& result) {
    std::vector<Column> columns;
    columns.reserve(static_cast<std::size_t>(result.columns()));
    for (int column = 0; column < result.columns(); ++column) {
        columns.push_back(
            {.name = result.name(column), .type = {}, .type_oid = pq::column_type(result, column)}
        );
    }
    return columns;
}

std::vector<Value> row_of(const pq::Result& result, int row) {
    std::vector<Value> values;
    values.reserve(static_cast<std::size_t>(result.columns()));
    for (int column = 0; column < result.columns(); ++column) {
        values.push_back(value_of(result, row, column));
    }
    return values;
}

}  // namespace

Value value_of(const pq::Result& result, int row, int column) {
    if (result.null(row, column)) return std::nullopt;
    return result.str(row, column);
}

void Held::add(const pq::Result& result) {
    if (limit_.bytes_max == 0) return;
    for (int row = 0; row < result.rows(); ++row) {
        for (int column = 0; column < result.columns(); ++column) {
            bytes_ += result.text(row, column).size() + result.name(column).size() + sizeof(Value);
        }
    }
    if (bytes_ <= limit_.bytes_max) return;
    throw Error{
        {.kind = ErrorKind::too_large,
         .primary = "the answer is too large",
         .detail = fmt::format("More than {} MiB are not held for one.", limit_.bytes_max >> 20U),
         .hint = limit_.hint}};
}

Rows read_rows(
    pq::Connection& target,
    const std::string& sql,
    std::span<const pq::Param> params,
    const Limit& limit
) {
    Rows all;
    Held held{limit};
    target.each_row(sql, params, [&](const pq::Result& result) {
        if (all.columns.empty()) all.columns = columns_of(result);
        held.add(result);
        for (int row = 0; row < result.rows(); ++row) all.rows.push_back(row_of(result, row));
    });
    return all;
}

}  // namespace pgchronicle::reading
