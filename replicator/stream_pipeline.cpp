#include "replicator/stream_pipeline.hpp"

#include "pgoutput/decode.hpp"

#include <algorithm>
#include <cassert>

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

const std::shared_ptr<const HistoryTable>& StreamPipeline::table_of(RelationId id) {
    if (last_table_ == nullptr || last_id_ != id) {
        last_table_ = &tables_[id];
        last_id_ = id;
    }
    return *last_table_;
}

StreamPipeline::Outcome StreamPipeline::apply(std::span<const std::byte> message) {
    const auto decoded = decode(message, StreamContext::outside_stream);
    if (!decoded.ok()) {
        return StreamFailure{
            "could not decode a message of the replication stream", to_string(decoded.error())};
    }
    const auto step = assembler_.on(*decoded);
    if (!step.ok()) {
        return StreamFailure{"replication stream is out of order", to_string(step.error())};
    }
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
                if (!skipping_) on_truncate(truncated);
                return Progress{Done{}};
            },
            [&](const RelationDescribed& described) -> Outcome {
                return Progress{NeedsTable{assembler_.shared_relation(described.relation->id)}};
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
        *step
    );
}

StreamPipeline::Outcome StreamPipeline::on_row(const RowChanged& row) {
    if (skipping_) return Progress{Done{}};
    const auto& table = table_of(row.relation->id);
    if (table == nullptr) return Progress{Done{}};
    history_writer::BatchBuilder::Outcome failed;
    switch (row.operation) {
    case RowOperation::inserted:
        failed = builder_.insert(table, row.new_tuple, row.change_seq);
        break;
    case RowOperation::updated: {
        const Update change{{}, row.relation->id, row.old_kind, row.old_tuple, row.new_tuple};
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
    return StreamFailure{
        "change cannot be stored as history",
        to_string(*failed) + ", finished at " + to_string(end_lsn_)};
}

void StreamPipeline::on_truncate(const TablesTruncated& truncated) {
    for (std::uint32_t i = 0; i < truncated.truncate.relation_count; ++i) {
        const auto& table = table_of(truncated.truncate.relation(i));
        if (table != nullptr) builder_.truncate(table, truncated.change_seq);
    }
}

}  // namespace pgchronicle::replicator
