#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/message.hpp"
#include "tests/support/wire_builder.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pgchronicle::bench {

/// What the rows of a stream do; the first four are W1 to W4 of the benchmarks with servers.
enum class Load : std::uint8_t {
    inserts,         ///< 1,000 a transaction.
    updates,         ///< Of random keys, 100 a transaction.
    hot_updates,     ///< Of 1,000 keys, 100 a transaction.
    single_updates,  ///< Of random keys, one a transaction.
    full_updates,    ///< As `updates`, with the old row: REPLICA IDENTITY FULL.
    deletes,         ///< Of random keys, 100 a transaction, as the key alone.
    wide_inserts,    ///< Rows of 60 columns, 100 a transaction.
};

/// A stream as the server sends it in binary form, over one table: CopyData frames that lie side by
/// side in memory. It can be read again and again: `move_on` gives its transactions later
/// positions.
class GeneratedStream {
public:
    explicit GeneratedStream(Load load);

    struct Transaction {
        std::size_t first{0};  ///< Index of Begin's frame.
        std::size_t last{0};   ///< Of Commit's.
        pgoutput::Lsn end_lsn;
    };
    [[nodiscard]] const std::vector<Transaction>& transactions() const { return transactions_; }
    [[nodiscard]] std::size_t frames() const { return frames_.size(); }
    [[nodiscard]] std::span<const std::byte> frame(std::size_t index) const {
        return std::span{wire_}.subspan(frames_[index].offset, frames_[index].size);
    }
    [[nodiscard]] std::size_t rows() const { return rows_; }

    [[nodiscard]] const pgoutput::RelationMessage& relation() const { return relation_; }
    [[nodiscard]] const std::shared_ptr<const history_writer::HistoryTable>& table() const {
        return table_;
    }

    /// To be called before each reading but the first.
    void move_on();

private:
    struct Place {
        std::size_t offset{0};
        std::size_t size{0};
    };

    void describe(Load load);
    void add(const test::Bytes& message);
    void set_lsn(std::size_t offset, pgoutput::Lsn lsn);

    pgoutput::RelationMessage relation_;
    std::shared_ptr<const history_writer::HistoryTable> table_;
    test::Bytes wire_;
    std::vector<Place> frames_;
    std::vector<Transaction> transactions_;
    std::size_t rows_{0};
};

/// The stream of a load, made when it is first asked for.
[[nodiscard]] GeneratedStream& stream_of(Load load);

/// PGCHRONICLE_SEED, else 1: random keys are the same in every run.
[[nodiscard]] std::uint64_t seed();

}  // namespace pgchronicle::bench
