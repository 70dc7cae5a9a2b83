#pragma once

#include "history_writer/history_table.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pgchronicle::history_writer {

/// One column of a shape that was recorded.
struct ShapeColumn {
    std::string name;
    std::int16_t number{0};  ///< pg_attribute.attnum; 0 where the catalog did not know it any more.
    std::string type_sql;
    std::string history_name;  ///< In the history table; empty when excluded.

    friend bool operator==(const ShapeColumn&, const ShapeColumn&) = default;
};

/// What a history table has to go through when its source table has another shape than before.
/// Types are not compared here: what counts is the type the history's column has.
struct ShapeChange {
    struct Rename {
        std::string from;
        std::string to;
        friend bool operator==(const Rename&, const Rename&) = default;
    };
    std::vector<Rename> renamed;       ///< Columns of the history table.
    std::vector<std::size_t> gained;   ///< Indexes of source columns that were not there before.
    std::vector<std::size_t> retyped;  ///< Indexes of source columns with another type.
    std::vector<std::string> lost;     ///< Source columns that are gone.

    friend bool operator==(const ShapeChange&, const ShapeChange&) = default;
};

/// Compares. A column is the same one when its number is; where a number is not known, when its
/// name is. Nothing is gained by a table that had no shape before.
[[nodiscard]] ShapeChange compare_shapes(
    const std::vector<ShapeColumn>& before,
    const source_catalog::Table& source,
    const HistoryTable& table
);

/// Whether a gained column may be a later one than the one that the stream shows now: the catalog,
/// which tells its number, is ahead of the stream. It may, where it has the name of a column that
/// is lost, and where columns before it came and went unseen. `highest` is the highest number that
/// any shape so far had; 0 when that is not known.
[[nodiscard]] bool
may_be_later(const ShapeChange& change, const source_catalog::Table& source, std::int16_t highest);

/// Name to number of each column that the catalog has now.
using ColumnNumbers = std::map<std::string, std::int16_t>;

/// Gives columns their numbers back that the catalog, which is ahead of the stream, has under other
/// names by now: `source` has the stream's columns with the catalog's numbers. A column that was
/// renamed still is there, and columns come in the order of their numbers.
void undo_later_renames(
    source_catalog::Table& source,
    const std::vector<ShapeColumn>& before,
    const ColumnNumbers& now
);

/// Gives columns that the catalog does not know any more (number 0) the numbers they had, where
/// there is only one possibility: by the shape before, or as the only ones between that and what
/// came later. A wrong number would give a column another one's values; none is only less exact.
void infer_numbers(source_catalog::Table& source, const std::vector<ShapeColumn>& before);

/// The shape of `source`, as it is recorded.
[[nodiscard]] std::vector<ShapeColumn>
shape_of(const source_catalog::Table& source, const HistoryTable& table);

/// Whether every value of type `from` is the same value, with the same text, in type `to`, so that
/// a column can be altered in place. Both as format_type() writes them.
[[nodiscard]] bool widens(const std::string& from, const std::string& to);

}  // namespace pgchronicle::history_writer
