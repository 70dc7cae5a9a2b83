#include "pgoutput/stream_frame.hpp"
#include "replicator/stream_pipeline.hpp"
#include "tests/support/counted_memory.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

// Rows come by the million: once buffers have grown, none of them may ask for memory. Buffers that
// have grown for a single huge row must not stay so.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;
using history_writer::WireForm;
using pgoutput::Lsn;

constexpr pgoutput::RelationId relation_id{16400};

enum class Identity { key, full, whole_row };

/// What happens to the rows.
enum class Story {
    lives,      ///< Each is inserted, updated twice and deleted again.
    inserts,    ///< Each is new.
    updates,    ///< Each is in the target already.
    deletes,    ///< Each is in the target already.
    hot_keys,   ///< A few are updated over and over.
    rekeys,     ///< Each gets another key.
    unchanged,  ///< Each is in the target already, and one of its values is not sent.
};

/// Transactions over one table of two columns, encoded before anything is counted.
class Traffic {
public:
    explicit Traffic(
        Identity identity,
        Story story = Story::lives,
        WireForm form = WireForm::text,
        int rows_per_transaction = 200
    )
        : identity_{identity}, form_{form} {
        auto table = std::make_shared<history_writer::HistoryTable>();
        table->relation = relation_id;
        table->source_schema = "public";
        table->source_table = "t";
        table->columns = {{"id", "id", "int4"}, {"v", "v", "text"}};
        table->kept = {0, 1};
        table->keyed = identity != Identity::whole_row;
        if (table->keyed) table->key = {0};
        table_ = std::move(table);

        const bool full = identity != Identity::key;
        const auto described =
            full ? pgoutput::ReplicaIdentity::full : pgoutput::ReplicaIdentity::by_default;
        relation_ = encode(pgoutput::RelationMessage{
            {},
            {relation_id,
             "public",
             "t",
             described,
             {{true, "id", pgoutput::TypeOid{23}, -1}, {full, "v", pgoutput::TypeOid{25}, -1}}}});
        for (int i = 0; i < rows_per_transaction; ++i) add_row(story, i);
    }

    /// Memory asked for by the rows of one more transaction; a row with `huge` comes and goes too.
    std::uint64_t send(replicator::StreamPipeline& pipeline, const std::string& huge = {}) {
        begin(pipeline);
        // A batch begins with an allocation or two; the first row pays for them.
        REQUIRE(apply(pipeline, frames_.front()));
        const auto before = allocations.load();
        bool ok = true;
        for (std::size_t i = 1; i < frames_.size(); ++i) ok = apply(pipeline, frames_[i]) && ok;
        const auto after = allocations.load();
        REQUIRE(ok);
        if (!huge.empty()) send_huge(pipeline, huge);
        commit(pipeline);
        return after - before;
    }

    /// The same with every row in a transaction of its own; memory asked for by all of them.
    std::uint64_t send_singly(replicator::StreamPipeline& pipeline) {
        asked_ = 0;
        for (const auto& frame : frames_) {
            begin(pipeline);
            const auto before = allocations.load();
            const bool ok = apply(pipeline, frame);
            asked_ += allocations.load() - before;
            REQUIRE(ok);
            commit(pipeline);
        }
        return asked_;
    }

private:
    void begin(replicator::StreamPipeline& pipeline) {
        commit_lsn_ = end_;
        end_ = Lsn{end_.value + 8};
        pipeline.begin(end_);
        control(pipeline, encode(pgoutput::Begin{commit_lsn_, time, pgoutput::Xid{1}}));
        if (bound_) return;
        REQUIRE(pipeline.apply(relation_).ok());
        pipeline.bind(relation_id, table_);
        bound_ = true;
    }

    void commit(replicator::StreamPipeline& pipeline) {
        control(pipeline, encode(pgoutput::Commit{0, commit_lsn_, end_, time}));
    }

    void control(replicator::StreamPipeline& pipeline, const Bytes& message) {
        const auto before = allocations.load();
        const bool ok = pipeline.apply(message).ok();
        asked_ += allocations.load() - before;
        REQUIRE(ok);
    }

    static bool apply(replicator::StreamPipeline& pipeline, const Bytes& bytes) {
        const auto frame = pgoutput::decode_frame(bytes);
        return frame.ok() && pipeline.apply(std::get_if<pgoutput::XLogData>(&*frame)->payload).ok();
    }

    void add_row(Story story, int number) {
        constexpr int hot_keys = 5;
        const auto id = std::to_string(story == Story::hot_keys ? number % hot_keys : number);
        const Cell first = value("a value that is longer than a small string");
        const Cell second = value("another value, longer than a small string too");
        const Row before{value(id), first};
        const Row after{value(id), second};
        switch (story) {
        case Story::lives:
            add_insert(before);
            add_update(before, after);
            add_update(after, before);
            add_delete(before, id);
            return;
        case Story::inserts:
            add_insert(before);
            return;
        case Story::updates:
            add_update(before, after);
            return;
        case Story::deletes:
            add_delete(before, id);
            return;
        case Story::hot_keys:
            // Without a key, a row is known by its values: it goes back and forth.
            if (number / hot_keys % 2 == 0) {
                add_update(before, after);
            } else {
                add_update(after, before);
            }
            return;
        case Story::rekeys:
            add_rekey(before, Row{value("new " + id), first}, Row{value(id), null()});
            return;
        case Story::unchanged:
            add_update(before, Row{value(id), unchanged()});
            return;
        }
    }

    [[nodiscard]] Cell value(std::string content) const {
        return form_ == WireForm::text ? text(std::move(content)) : binary(std::move(content));
    }
    void add(const Bytes& message) {
        frames_.push_back(encode(pgoutput::XLogData{Lsn{1}, Lsn{1}, time, message}));
    }
    void add_insert(const Row& row) { add(encode(pgoutput::Insert{{}, relation_id, row.tuple()})); }
    void add_update(const Row& before, const Row& after) {
        pgoutput::Update message{{}, relation_id, {}, {}, after.tuple()};
        if (identity_ != Identity::key) {
            message.old_kind = old_kind();
            message.old_tuple = before.tuple();
        }
        add(encode(message));
    }
    void add_rekey(const Row& before, const Row& after, const Row& old_key) {
        const auto& old = identity_ == Identity::key ? old_key : before;
        add(encode(pgoutput::Update{{}, relation_id, old_kind(), old.tuple(), after.tuple()}));
    }
    void add_delete(const Row& last, const std::string& id) {
        const Row key{value(id), null()};
        const auto& old = identity_ == Identity::key ? key : last;
        add(encode(pgoutput::Delete{{}, relation_id, old_kind(), old.tuple()}));
    }
    [[nodiscard]] pgoutput::OldTupleKind old_kind() const {
        using pgoutput::OldTupleKind;
        return identity_ == Identity::key ? OldTupleKind::key : OldTupleKind::full;
    }

    void send_huge(replicator::StreamPipeline& pipeline, const std::string& value) {
        const bool full = identity_ != Identity::key;
        const Row row{text("huge"), text(value)};
        const Row key{text("huge"), full ? text(value) : null()};
        const auto inserted = encode(pgoutput::Insert{{}, relation_id, row.tuple()});
        const auto deleted = encode(pgoutput::Delete{{}, relation_id, old_kind(), key.tuple()});
        REQUIRE(pipeline.apply(inserted).ok());
        REQUIRE(pipeline.apply(deleted).ok());
    }

    static constexpr pgoutput::PgTimestamp time{1};
    Identity identity_;
    WireForm form_;
    std::shared_ptr<const history_writer::HistoryTable> table_;
    Bytes relation_;
    std::vector<Bytes> frames_;
    Lsn commit_lsn_;
    Lsn end_{1000};
    std::uint64_t asked_{0};  ///< Memory, by Begin and Commit.
    bool bound_{false};
};

/// Takes batches as a session does: one is written while the next is built, and its memory comes
/// back when that one is complete.
class Batches {
public:
    explicit Batches(WireForm form) : pipeline_{form, Lsn{}, std::nullopt} {}

    [[nodiscard]] replicator::StreamPipeline& pipeline() { return pipeline_; }
    /// Memory asked for by handing over.
    std::uint64_t hand_over() {
        const auto before = allocations.load();
        pipeline_.builder().recycle(std::move(written_));
        written_ = pipeline_.builder().take(false);
        return allocations.load() - before;
    }

private:
    replicator::StreamPipeline pipeline_;
    history_writer::ChangeBatch written_;
};

constexpr int batches_until_steady = 4;

/// Allocations by rows in a batch that is as large as the ones before it.
std::uint64_t allocations_in_steady_state(Identity identity, Story story) {
    const auto form = GENERATE(WireForm::text, WireForm::binary);
    Traffic traffic{identity, story, form};
    Batches batches{form};
    std::uint64_t counted_last = 0;
    for (int batch = 0; batch < batches_until_steady; ++batch) {
        counted_last = traffic.send(batches.pipeline());
        counted_last += batches.hand_over();
    }
    return counted_last;
}

}  // namespace

TEST_CASE("the counter sees allocations", "[replicator]") {
    const auto before = allocations.load();
    const auto made = std::make_unique<int>(1);
    REQUIRE(allocations.load() > before);
    REQUIRE(*made == 1);
}

TEST_CASE("rows ask for no memory once buffers have grown", "[replicator]") {
    const auto identity = GENERATE(Identity::key, Identity::full, Identity::whole_row);
    const auto story = GENERATE(
        Story::lives, Story::inserts, Story::updates, Story::deletes, Story::hot_keys, Story::rekeys
    );
    CAPTURE(static_cast<int>(identity), static_cast<int>(story));
    REQUIRE(allocations_in_steady_state(identity, story) == 0);
}

TEST_CASE("rows with values that were not sent ask for no memory either", "[replicator]") {
    const auto identity = GENERATE(Identity::key, Identity::full);
    REQUIRE(allocations_in_steady_state(identity, Story::unchanged) == 0);
}

TEST_CASE("a batch asks for memory a few times, however many rows it has", "[replicator]") {
    const auto batch_of = [](int rows) {
        Traffic traffic{Identity::key, Story::updates, WireForm::binary, rows};
        Batches batches{WireForm::binary};
        std::uint64_t counted_last = 0;
        for (int batch = 0; batch < batches_until_steady; ++batch) {
            const auto before = allocations.load();
            traffic.send(batches.pipeline());
            batches.hand_over();
            counted_last = allocations.load() - before;
        }
        return counted_last;
    };
    REQUIRE(batch_of(1'000) == batch_of(10));
}

TEST_CASE("single-row transactions ask for memory as their list doubles, no more", "[replicator]") {
    constexpr int rows = 1'000;
    Traffic traffic{Identity::key, Story::updates, WireForm::binary, rows};
    Batches batches{WireForm::binary};
    std::uint64_t counted_last = 0;
    for (int batch = 0; batch < batches_until_steady; ++batch) {
        counted_last = traffic.send_singly(batches.pipeline()) + batches.hand_over();
    }
    constexpr std::uint64_t doublings = 11;
    constexpr std::uint64_t stretch_and_table = 2;
    REQUIRE(counted_last <= doublings + stretch_and_table);
}

TEST_CASE("what a huge row took is given back when its batch is written", "[replicator]") {
    const auto identity = GENERATE(Identity::key, Identity::full, Identity::whole_row);
    constexpr std::size_t kept_bytes_max = 1U << 20U;
    constexpr std::size_t row_bytes = 16 * kept_bytes_max;
    Traffic traffic{identity};
    replicator::StreamPipeline pipeline{history_writer::WireForm::text, Lsn{}, std::nullopt};
    pipeline.builder().keep_at_most(kept_bytes_max);
    const auto held_after = [&] {
        pipeline.builder().recycle(pipeline.builder().take(false));
        return bytes_held.load();
    };
    traffic.send(pipeline);
    const auto before = held_after();
    traffic.send(pipeline, std::string(row_bytes, 'x'));
    REQUIRE(bytes_held > before + row_bytes);
    REQUIRE(held_after() < before + 2 * kept_bytes_max);
}
