#pragma once

#include "config/settings.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/ids.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace pgchronicle::history_writer {

/// Something that cannot be done to one table, and that stands in the way of no other. Ends the
/// process with exit code 3, or puts the table into quarantine. The texts follow PostgreSQL's
/// grammar.
class TableFailure : public std::runtime_error {
public:
    /// Which table, as a history knows it and as a quarantine is kept.
    struct Table {
        pgoutput::RelationId relation{};
        std::string source_schema{};
        std::string source_table{};
        std::string target_schema{};
    };

    TableFailure(
        Table table,
        const std::string& primary,
        std::string detail = {},
        std::string hint = {}
    )
        : std::runtime_error{primary},
          table_{std::move(table)},
          detail_{std::move(detail)},
          hint_{std::move(hint)} {}
    TableFailure(
        const HistoryTable& table,
        const std::string& primary,
        std::string detail = {},
        std::string hint = {}
    )
        : TableFailure{
              Table{table.relation, table.source_schema, table.source_table, table.target_schema},
              primary,
              std::move(detail),
              std::move(hint)} {}

    [[nodiscard]] const Table& table() const { return table_; }
    /// schema.table on the source.
    [[nodiscard]] std::string name() const {
        return table_.source_schema + "." + table_.source_table;
    }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    Table table_;
    std::string detail_;
    std::string hint_;
};

/// What the configuration wants when something cannot be done to this table.
[[nodiscard]] config::OnError
on_error(const std::string& schema, const std::string& table, const config::Settings& settings);

}  // namespace pgchronicle::history_writer
