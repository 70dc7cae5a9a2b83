#pragma once

#include "history_writer/batch_builder.hpp"
#include "pgoutput/transaction_assembler.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>

namespace pgchronicle::replicator {

using history_writer::HistoryTable;

/// The message is dealt with.
struct Done {};
/// A relation was described: say with `bind` where its rows go before the next message.
struct NeedsTable {
    std::shared_ptr<const pgoutput::Relation> relation;
};
/// The transaction is complete in the batch.
struct TransactionDone {
    pgoutput::Lsn end_lsn;
};
using Progress = std::variant<Done, NeedsTable, TransactionDone>;

/// A message that cannot be, or a change that cannot become history. Halts.
struct StreamFailure {
    std::string primary;
    std::string detail;
};

/// From messages to a batch: decodes, follows the sequence, drops what is excluded or already
/// applied, and folds the rest. Pure: no socket, no clock.
///
/// It is fed whole transactions, for a version's LSN is the end of its commit, which the server
/// sends last: `begin` announces the end of the transaction whose messages follow.
class StreamPipeline {
public:
    /// `applied_end`: transactions ending there or before are skipped. `clamp`: recorded times
    /// never go below it.
    StreamPipeline(
        history_writer::WireForm form,
        pgoutput::Lsn applied_end,
        std::optional<pgoutput::PgTimestamp> clamp
    );

    /// The messages of one transaction follow, up to and with its Commit.
    void begin(pgoutput::Lsn end_lsn) { end_lsn_ = end_lsn; }

    using Outcome = pgoutput::Result<Progress, StreamFailure>;
    [[nodiscard]] Outcome apply(std::span<const std::byte> message);

    /// Rows of the relation go to `table`; nowhere when null (excluded).
    void bind(pgoutput::RelationId relation, std::shared_ptr<const HistoryTable> table);

    [[nodiscard]] history_writer::BatchBuilder& builder() { return builder_; }
    [[nodiscard]] const history_writer::BatchBuilder& builder() const { return builder_; }
    [[nodiscard]] std::optional<pgoutput::PgTimestamp> last_recorded_time() const { return clamp_; }

private:
    Outcome on_row(const pgoutput::RowChanged& row);
    void on_truncate(const pgoutput::TablesTruncated& truncated);
    const std::shared_ptr<const HistoryTable>& table_of(pgoutput::RelationId id);

    pgoutput::TransactionAssembler assembler_;
    history_writer::BatchBuilder builder_;
    std::optional<pgoutput::PgTimestamp> clamp_;
    pgoutput::Lsn end_lsn_;
    bool skipping_{false};
    struct IdHash {
        std::size_t operator()(pgoutput::RelationId id) const {
            return static_cast<std::size_t>(id);
        }
    };
    std::unordered_map<pgoutput::RelationId, std::shared_ptr<const HistoryTable>, IdHash> tables_;
    pgoutput::RelationId last_id_{};
    const std::shared_ptr<const HistoryTable>* last_table_{nullptr};
};

}  // namespace pgchronicle::replicator
