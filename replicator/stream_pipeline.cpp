#include "replicator/stream_pipeline.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace pgchronicle::replicator {

using namespace pgoutput;  // NOLINT(google-build-using-namespace): every message type is used here.

StreamPipeline::StreamPipeline(
    history_writer::WireForm form,
    Lsn applied_end,
    std::optional<PgTimestamp> clamp
)
    : assembler_{applied_end}, builder_{form}, clamp_{clamp} {}

void StreamPipeline::bind(RelationId relation, std::shared_ptr<const HistoryTable> table) {
    tables_[relation] = std::move(table);
    last_table_ = nullptr;
}

const std::shared_ptr<const HistoryTable>* StreamPipeline::table_of(RelationId id) {
    if (last_table_ == nullptr || last_id_ != id) {
        const auto found = tables_.find(id);
        if (found == tables_.end()) return nullptr;
        last_table_ = &found->second;
        last_id_ = id;
    }
    return last_table_;
}

StreamPipeline::Outcome StreamPipeline::needs_table(RelationId id, const Step& step) {
    waiting_ = step;
    return Progress{NeedsTable{assembler_.shared_relation(id)}};
}

StreamPipeline::Outcome StreamPipeline::resume() {
    assert(waiting_);
    const auto step = *std::exchange(waiting_, std::nullopt);
    return on_step(step);
}

StreamPipeline::Outcome
StreamPipeline::apply(std::span<const std::byte> message, StreamContext context) {
    const auto decoded = decode(message, context);
    if (!decoded.ok()) {
        return StreamFailure{
            "could not decode a message of the replication stream", to_string(decoded.error())};
    }
    return apply(*decoded);
}

StreamPipeline::Outcome StreamPipeline::apply(const Message& message) {
    const auto step = assembler_.on(message);
    if (!step.ok()) {
        return StreamFailure{"replication stream is out of order", to_string(step.error())};
    }
    return on_step(*step);
}

StreamPipeline::Outcome StreamPipeline::describe(const RelationMessage& relation) {
    return on_step(assembler_.describe(relation));
}

StreamPipeline::Outcome StreamPipeline::on_step(const Step& step) {
    return std::visit(
        Overloaded{
            [](const Nothing&) -> Outcome { return Progress{Done{}}; },
            [&](const TransactionBegan& began) -> Outcome {
                skipping_ = began.already_applied;
                if (!skipping_) {
                    // Commit times step back now and then; recorded ones must not.
                    clamp_ = clamp_ ? std::max(*clamp_, began.commit_time) : began.commit_time;
                    builder_.begin_transaction({end_lsn_, *clamp_});
                }
                return Progress{Done{}};
            },
            [&](const RowChanged& row) -> Outcome { return on_row(row); },
            [&](const TablesTruncated& truncated) -> Outcome {
                return skipping_ ? Outcome{Progress{Done{}}} : on_truncate(truncated);
            },
            [&](const RelationDescribed& described) -> Outcome {
                // Where its rows go is asked when there is one: the relation may belong to a
                // subtransaction that was rolled back, or to nobody. Also when it says what it said
                // before: see TableResolver::same_columns.
                tables_.erase(described.relation->id);
                last_table_ = nullptr;
                return Progress{Done{}};
            },
            [&](const TransactionCommitted& committed) -> Outcome {
                if (committed.end_lsn != end_lsn_) {
                    return StreamFailure{
                        "replication stream is out of order",
                        "A commit does not end where its transaction was announced to end."};
                }
                if (committed.already_applied) return Progress{Done{}};
                return Progress{TransactionDone{committed.end_lsn}};
            }},
        step
    );
}

StreamPipeline::Outcome StreamPipeline::on_row(const RowChanged& row) {
    if (skipping_) return Progress{Done{}};
    const auto* const bound = table_of(row.relation->id);
    if (bound == nullptr) return needs_table(row.relation->id, row);
    const auto& table = *bound;
    if (table == nullptr) return Progress{Done{}};
    history_writer::BatchBuilder::Outcome failed;
    switch (row.operation) {
    case RowOperation::inserted:
        failed = builder_.insert(table, row.new_tuple, row.change_seq);
        break;
    case RowOperation::updated: {
        const Update change{{}, row.relation->id, row.old_kind, row.old_tuple, row.new_tuple};
        if (answer_) {
            builder_.answer(*std::exchange(answer_, std::nullopt));
        } else if (auto question = builder_.question(table, change)) {
            waiting_ = row;
            using history_writer::KeyQuestion;
            return Progress{NeedsAnswer{std::make_shared<const KeyQuestion>(std::move(*question))}};
        }
        failed = builder_.update(table, change, row.change_seq);
        break;
    }
    case RowOperation::deleted: {
        const Delete change{{}, row.relation->id, row.old_kind, row.old_tuple};
        failed = builder_.remove(table, change, row.change_seq);
        break;
    }
    }
    if (!failed) return Progress{Done{}};
    // A value in a form that was not asked for says that all of them may be misread.
    const bool its_own = failed->code != history_writer::PlanErrc::form_mismatch;
    return StreamFailure{
        "change cannot be stored as history",
        to_string(*failed) + ", finished at " + to_string(end_lsn_),
        its_own ? table : nullptr};
}

StreamPipeline::Outcome StreamPipeline::on_truncate(const TablesTruncated& truncated) {
    const auto& truncate = truncated.truncate;
    for (std::uint32_t i = 0; i < truncate.relation_count; ++i) {
        const auto id = truncate.relation(i);
        if (table_of(id) == nullptr) return needs_table(id, truncated);
    }
    for (std::uint32_t i = 0; i < truncate.relation_count; ++i) {
        const auto& table = *table_of(truncate.relation(i));
        if (table != nullptr) builder_.truncate(table, truncated.change_seq);
    }
    return Progress{Done{}};
}

}  // namespace pgchronicle::replicator
