#include "bench/micro/generated_stream.hpp"
#include "bench/micro/measure.hpp"
#include "history_writer/pg/copy_writer.hpp"
#include "pgoutput/stream_frame.hpp"
#include "replicator/batch_policy.hpp"
#include "replicator/stream_pipeline.hpp"

#include <stdexcept>

// From bytes to batches, and from batches to what COPY sends.

namespace pgchronicle::bench {

namespace {

using history_writer::ChangeBatch;
using history_writer::WireForm;
using pgoutput::Lsn;

/// Reads a stream into batches as a session does: a batch is handed over at the usual limits, and
/// is written while the next one is built; then its memory is used again.
class Planner {
public:
    explicit Planner(GeneratedStream& stream) : stream_{stream} {
        const replicator::BatchLimits limits;
        pipeline_.builder().keep_at_most(2 * limits.bytes_max);
        (void)pipeline_.describe(stream.relation());
        pipeline_.bind(stream.relation().relation.id, stream.table());
    }

    void read() {
        for (const auto& transaction : stream_.transactions()) {
            pipeline_.begin(transaction.end_lsn);
            for (auto i = transaction.first; i <= transaction.last; ++i) {
                const auto frame = pgoutput::decode_frame(stream_.frame(i));
                const auto outcome =
                    pipeline_.apply(std::get_if<pgoutput::XLogData>(&*frame)->payload);
                if (!outcome.ok()) throw std::runtime_error{outcome.error().detail};
            }
            const auto& builder = pipeline_.builder();
            if (policy_.full({builder.rows(), builder.bytes()})) hand_over();
        }
        // The next pass has the same keys.
        if (pipeline_.builder().rows() > 0) hand_over();
    }

    /// The batch that was handed over last.
    [[nodiscard]] const ChangeBatch& written() const { return written_; }

private:
    void hand_over() {
        pipeline_.builder().recycle(std::move(written_));
        written_ = pipeline_.builder().take(false);
        benchmark::DoNotOptimize(written_);
    }

    GeneratedStream& stream_;
    replicator::StreamPipeline pipeline_{WireForm::binary, Lsn{}, std::nullopt};
    replicator::BatchPolicy policy_{{}};
    ChangeBatch written_;
};

void decode_and_plan(benchmark::State& state, Load load) {
    auto& stream = stream_of(load);
    Planner planner{stream};
    measure(
        state, stream.rows(), [&] { stream.move_on(); }, [&] { planner.read(); }
    );
}

/// Stands where a connection is asked for that is never used.
union Nowhere {
    Nowhere() {}
    ~Nowhere() {}
    Nowhere(const Nowhere&) = delete;
    Nowhere& operator=(const Nowhere&) = delete;
    pq::Connection connection;
};

/// The versions of one batch as rows of COPY, up to where they would be sent.
void copy_rows(benchmark::State& state, Load load) {
    constexpr std::size_t sent_at_bytes = 100U << 10U;
    auto& stream = stream_of(load);
    Planner planner{stream};
    stream.move_on();
    planner.read();
    const auto& batch = planner.written();
    const auto& changes = *batch.stretches.front().tables.front();
    const auto columns = changes.table->columns.size() + 7;
    Nowhere nowhere;
    history_writer::Bytes buffer;
    history_writer::pg::CopyWriter writer{nowhere.connection, buffer, WireForm::binary};
    const auto pass = [&] {
        for (const auto& version : changes.versions) {
            const auto& opened = batch.transactions[version.opened_by];
            const bool open = version.closed_by == history_writer::no_index;
            const auto& closed = open ? opened : batch.transactions[version.closed_by];
            writer.begin_row(
                columns, std::span{changes.payload}.subspan(version.offset, version.size)
            );
            writer.history_fields(
                {opened.recorded_time,
                 opened.end_lsn,
                 open,
                 closed.recorded_time,
                 closed.end_lsn,
                 version.operation,
                 version.change_seq}
            );
            writer.end_row();
            if (buffer.size() >= sent_at_bytes) buffer.clear();
        }
        benchmark::ClobberMemory();
    };
    measure(
        state, changes.versions.size(), [] {}, pass
    );
}

}  // namespace

BENCHMARK_CAPTURE(decode_and_plan, w1_inserts, Load::inserts);
BENCHMARK_CAPTURE(decode_and_plan, w2_updates, Load::updates);
BENCHMARK_CAPTURE(decode_and_plan, w3_hot_updates, Load::hot_updates);
BENCHMARK_CAPTURE(decode_and_plan, w4_single_updates, Load::single_updates);
BENCHMARK_CAPTURE(decode_and_plan, full_updates, Load::full_updates);
BENCHMARK_CAPTURE(decode_and_plan, deletes, Load::deletes);
BENCHMARK_CAPTURE(decode_and_plan, wide_inserts, Load::wide_inserts);
BENCHMARK_CAPTURE(copy_rows, w1_inserts, Load::inserts);
BENCHMARK_CAPTURE(copy_rows, w3_hot_updates, Load::hot_updates);
BENCHMARK_CAPTURE(copy_rows, wide_inserts, Load::wide_inserts);

}  // namespace pgchronicle::bench
