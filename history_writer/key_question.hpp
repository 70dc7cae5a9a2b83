#pragma once

#include "history_writer/history_table.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pgchronicle::history_writer {

/// Whether two keys are equal to the source, for types of which bytes do not tell. They are equal
/// when every column's values are.
struct KeyQuestion {
    struct Column {
        std::uint16_t column{0};  ///< Index into the history table's columns.
        std::string before;       ///< In the stream's form.
        std::string after;
    };
    std::shared_ptr<const HistoryTable> table;
    std::vector<Column> columns;
};

}  // namespace pgchronicle::history_writer
