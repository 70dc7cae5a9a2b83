#include "pgoutput/byte_reader.hpp"
#include "pgoutput/transaction_assembler.hpp"
#include "tests/fuzz/fuzz_checks.hpp"

#include <cstdint>

// A session: messages one after the other, each behind a length of two bytes, through decoder and
// assembler. The first eight bytes are the position to start from.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::pgoutput;

/// What a caller relies on, kept beside the assembler and held against it.
class Shadow {
public:
    void check(const TransactionAssembler& assembler, const Result<Step, SequenceError>& step) {
        test::require(!rejected_ || !step.ok(), "nothing is accepted after a rejection");
        if (!step.ok()) {
            rejected_ = true;
            test::require(!step.error().primary.empty(), "a rejection says what is wrong");
            test::require(!step.error().context.empty(), "a rejection says where");
            return;
        }
        std::visit([this](const auto& kind) { on(kind); }, *step);
        test::require(assembler.in_transaction() == open_, "it knows whether one is open");
    }

private:
    void on(const Nothing& /*step*/) {}
    void on(const RelationDescribed& step) {
        test::require(step.relation != nullptr, "a description has a relation");
        const bool differs = step.previous == nullptr || !(*step.previous == *step.relation);
        test::require(
            differs || step.previous == step.relation, "what is the same keeps its place"
        );
    }
    void on(const TransactionBegan& step) {
        test::require(!open_, "one transaction at a time");
        test::require(step.final_lsn >= last_end_, "commits do not overlap");
        open_ = true;
        changes_ = 0;
    }
    void on(const RowChanged& step) {
        const auto width = step.relation->columns.size();
        test::require(open_, "rows stand in transactions");
        test::require(step.change_seq == ++changes_, "changes are numbered without a hole");
        const bool has_new = step.operation != RowOperation::deleted;
        test::require(!has_new || step.new_tuple.column_count == width, "a new row is as wide");
        const bool has_old = step.old_kind != OldTupleKind::none;
        test::require(!has_old || step.old_tuple.column_count == width, "an old row is as wide");
    }
    void on(const TablesTruncated& step) {
        test::require(open_, "a TRUNCATE stands in a transaction");
        test::require(step.change_seq == ++changes_, "changes are numbered without a hole");
    }
    void on(const TransactionCommitted& step) {
        test::require(open_, "a commit ends a transaction");
        test::require(step.end_lsn > step.commit_lsn, "a commit has a length");
        test::require(step.end_lsn > last_end_, "ends increase");
        test::require(step.change_count == changes_, "a commit counts its changes");
        open_ = false;
        last_end_ = step.end_lsn;
    }

    bool open_{false};
    bool rejected_{false};
    std::uint64_t changes_{0};
    Lsn last_end_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in{std::as_bytes(std::span{data, size})};
    TransactionAssembler assembler{Lsn{in.u64()}};
    Shadow shadow;
    auto context = StreamContext::outside_stream;
    while (in.ok() && in.remaining() > 0) {
        const auto payload = in.bytes(in.u16());
        if (!in.ok()) break;
        const auto message = test::decode_checked(payload, context);
        if (!message.ok()) break;  // A session ends at the first message it cannot read.
        if (std::holds_alternative<StreamStart>(*message)) context = StreamContext::inside_stream;
        if (std::holds_alternative<StreamStop>(*message)) context = StreamContext::outside_stream;
        shadow.check(assembler, assembler.on(*message));
    }
    return 0;
}
