#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/pg/copy_writer.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace pgchronicle::history_writer::pg {

/// A row that takes a stop on the staging table.
struct StagedRow {
    std::span<const std::byte> payload;  ///< Its source columns as a batch holds them,
    std::span<const std::byte> whole;    ///< or all of them in the keys' neutral form.
    HistoryFields fields;
    std::optional<std::span<const std::byte>> unknown;  ///< Bitmap of source columns.
    std::int32_t nth{0};
    std::span<const std::byte> base;  ///< The base's key in the neutral form; empty: none.
};

/// The staging table of one history table, which may be two: see stage_is_split. Made when it is
/// first needed, and kept. `begin`, rows, `end`; then its rows are what statements find there.
class StageWriter {
public:
    StageWriter(
        pq::Connection& target,
        std::shared_ptr<const HistoryTable> table,
        std::size_t number
    );

    /// As the statements of stage_sql want it.
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Empties it. Rows are put into `buffer` on their way.
    void begin(Bytes& buffer, WireForm form);
    void add(const StagedRow& row);
    void end();
    /// Drops it.
    void drop();

private:
    void make_empty();

    pq::Connection& target_;
    std::shared_ptr<const HistoryTable> table_;
    std::string name_;
    bool split_;
    bool made_{false};
    WireForm form_{WireForm::binary};
    std::int32_t rows_{0};
    std::optional<CopyWriter> writer_;
    /// Of a split one, what the second table takes when the first has its rows: keys and bitmaps.
    std::optional<CopyWriter> rest_;
    Bytes rest_buffer_;
};

}  // namespace pgchronicle::history_writer::pg
