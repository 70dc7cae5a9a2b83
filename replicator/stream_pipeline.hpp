#pragma once

#include "history_writer/batch_builder.hpp"
#include "pgoutput/decode.hpp"
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
/// A row of a relation that is described anew: say with `bind` where its rows go, then `resume`.
struct NeedsTable {
    std::shared_ptr<const pgoutput::Relation> relation;
};
/// Two keys of a row differ in bytes, and may be equal: `answer`, then `resume`.
struct NeedsAnswer {
    std::shared_ptr<const history_writer::KeyQuestion> question;
};
/// The transaction is complete in the batch.
struct TransactionDone {
    pgoutput::Lsn end_lsn;
};
using Progress = std::variant<Done, NeedsTable, NeedsAnswer, TransactionDone>;

/// A message that cannot be, or a change that cannot become history.
struct StreamFailure {
    std::string primary;
    std::string detail;
    /// The one table whose change it is; null where the stream itself is wrong.
    std::shared_ptr<const HistoryTable> table{};
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
    /// `context`: whether the message was sent between Stream Start and Stream Stop. Its bytes must
    /// outlive a `resume`.
    [[nodiscard]] Outcome apply(
        std::span<const std::byte> message,
        pgoutput::StreamContext context = pgoutput::StreamContext::outside_stream
    );
    /// The same for a message that is decoded already.
    [[nodiscard]] Outcome apply(const pgoutput::Message& message);
    /// Whether the keys of the question are equal.
    void answer(bool equal) { answer_ = equal; }
    /// Goes on with the row for which NeedsTable or NeedsAnswer was said.
    [[nodiscard]] Outcome resume();
    [[nodiscard]] bool waits() const { return waiting_.has_value(); }

    /// Relations and types may be described outside of a transaction, too: they were sent within
    /// one that is prepared, and the server does not say it again.
    [[nodiscard]] Outcome describe(const pgoutput::RelationMessage& relation);

    /// Rows of the relation go to `table`; nowhere when null (excluded).
    void bind(pgoutput::RelationId relation, std::shared_ptr<const HistoryTable> table);

    [[nodiscard]] history_writer::BatchBuilder& builder() { return builder_; }
    [[nodiscard]] const history_writer::BatchBuilder& builder() const { return builder_; }
    [[nodiscard]] std::optional<pgoutput::PgTimestamp> last_recorded_time() const { return clamp_; }

private:
    Outcome on_step(const pgoutput::Step& step);
    Outcome on_row(const pgoutput::RowChanged& row);
    Outcome on_truncate(const pgoutput::TablesTruncated& truncated);
    /// Null when the relation is not bound yet.
    const std::shared_ptr<const HistoryTable>* table_of(pgoutput::RelationId id);
    Outcome needs_table(pgoutput::RelationId id, const pgoutput::Step& step);

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
    std::optional<pgoutput::Step> waiting_;  ///< For its table, or for an answer.
    std::optional<bool> answer_;
};

}  // namespace pgchronicle::replicator
