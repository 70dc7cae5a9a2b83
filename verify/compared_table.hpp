#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/shape_change.hpp"
#include "pgoutput/lsn.hpp"
#include "source_catalog/model.hpp"
#include "verify/digest_sql.hpp"
#include "verify/report.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// Which columns of a source table stand against which of its history. No I/O.

namespace pgchronicle::verify {

/// What the target knows of a history table.
struct HistoryFacts {
    std::string schema;
    std::string table;
    std::set<std::string> columns;     ///< Those that are there, ours among them; empty: no table.
    std::vector<std::string> row_key;  ///< Columns of the history table.
    std::vector<history_writer::ShapeColumn> shape;  ///< The last one recorded.
};

/// One table, ready to be compared. Names are quoted.
struct ComparedTable {
    Side source;
    Side history;
    std::vector<std::string> columns;  ///< Names in the history, unquoted, as the sides have them.
    /// Of these, those whose values have one text for ever: a label of an enum, which is kept as
    /// text, may be renamed.
    std::vector<std::string> lasting_columns;
    std::vector<std::string> key;
    std::vector<ColumnLeftOut> left_out;
    std::string trouble;  ///< Why it cannot be compared; empty when it can.
    /// Equal keys may be written in several ways.
    bool key_has_spellings{false};
    bool begins_known{false};  ///< No row may begin with a change of a key that nobody has seen.
    bool collapses{false};     ///< intra_transaction: collapse
};

/// What both plans go by.
struct CompareAt {
    pgoutput::Lsn lsn;
    config::HistoryColumnNames names;
    DigestForm form{DigestForm::fast};
    std::optional<Sample> sample;
    /// Rows that nobody has copied are no differences, so a key that was ever seen has to be told
    /// from one that was not.
    bool tells_past{false};
};

/// Pairs the columns that `source` has at the LSN with those of its history, by attribute number,
/// for either side may be ahead of a rename.
[[nodiscard]] ComparedTable plan_comparison(
    const source_catalog::Table& source,
    const history_writer::HistoryTable& planned,
    const HistoryFacts& facts,
    const CompareAt& at
);

/// A history whose table is gone, against nothing.
[[nodiscard]] ComparedTable plan_leftover(const HistoryFacts& facts, const CompareAt& at);

}  // namespace pgchronicle::verify
