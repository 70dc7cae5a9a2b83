#include "replicator/stream_pipeline.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

// Rows come by the million: once buffers have grown, none of them may ask for memory. Buffers that
// have grown for a single huge row must not stay so.

namespace {

std::atomic<std::uint64_t> allocations{0};
std::atomic<std::size_t> bytes_held{0};

void* counted(std::size_t size) {
    ++allocations;
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc{};
    bytes_held += malloc_usable_size(memory);
    return memory;
}

void let_go(void* memory) noexcept {
    bytes_held -= malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    return counted(size);
}
void* operator new[](std::size_t size) {
    return counted(size);
}
void operator delete(void* memory) noexcept {
    let_go(memory);
}
void operator delete[](void* memory) noexcept {
    let_go(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    let_go(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    let_go(memory);
}

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;
using pgoutput::Lsn;

constexpr pgoutput::RelationId relation_id{16400};
constexpr int rows_per_transaction = 200;

enum class Identity { key, full, whole_row };

/// Transactions over one table of two columns, encoded before anything is counted.
class Traffic {
public:
    explicit Traffic(Identity identity) : identity_{identity} {
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
        // Every row is inserted, updated twice and deleted again.
        for (int i = 0; i < rows_per_transaction; ++i) add_life_of_row(std::to_string(i));
    }

    /// Memory asked for by the rows of one more transaction; a row with `huge` comes and goes too.
    std::uint64_t send(replicator::StreamPipeline& pipeline, const std::string& huge = {}) {
        const Lsn commit_lsn{end_.value};
        end_ = Lsn{end_.value + 8};
        pipeline.begin(end_);
        const pgoutput::PgTimestamp time{1};
        REQUIRE(pipeline.apply(encode(pgoutput::Begin{commit_lsn, time, pgoutput::Xid{1}})).ok());
        if (!bound_) {
            REQUIRE(pipeline.apply(relation_).ok());
            pipeline.bind(relation_id, table_);
            bound_ = true;
        }
        // A batch begins with an allocation or two; the first row pays for them.
        REQUIRE(pipeline.apply(rows_.front()).ok());
        const auto before = allocations.load();
        bool ok = true;
        for (std::size_t i = 1; i < rows_.size(); ++i) ok = pipeline.apply(rows_[i]).ok() && ok;
        const auto after = allocations.load();
        REQUIRE(ok);
        if (!huge.empty()) send_huge(pipeline, huge);
        REQUIRE(pipeline.apply(encode(pgoutput::Commit{0, commit_lsn, end_, time})).ok());
        return after - before;
    }

private:
    void add_life_of_row(const std::string& id) {
        const bool full = identity_ != Identity::key;
        const Row first{text(id), text("a value that is longer than a small string")};
        const Row second{text(id), text("another value, longer than a small string too")};
        const Row key{text(id), null()};
        const auto old_kind = full ? pgoutput::OldTupleKind::full : pgoutput::OldTupleKind::key;
        rows_.push_back(encode(pgoutput::Insert{{}, relation_id, first.tuple()}));
        const auto update = [&](const Row& before, const Row& after) {
            pgoutput::Update message{{}, relation_id, {}, {}, after.tuple()};
            if (full) {
                message.old_kind = old_kind;
                message.old_tuple = before.tuple();
            }
            rows_.push_back(encode(message));
        };
        update(first, second);
        update(second, first);
        const auto& last = full ? first : key;
        rows_.push_back(encode(pgoutput::Delete{{}, relation_id, old_kind, last.tuple()}));
    }

    void send_huge(replicator::StreamPipeline& pipeline, const std::string& value) {
        const bool full = identity_ != Identity::key;
        const Row row{text("huge"), text(value)};
        const Row key{text("huge"), full ? text(value) : null()};
        const auto old_kind = full ? pgoutput::OldTupleKind::full : pgoutput::OldTupleKind::key;
        const auto inserted = encode(pgoutput::Insert{{}, relation_id, row.tuple()});
        const auto deleted = encode(pgoutput::Delete{{}, relation_id, old_kind, key.tuple()});
        REQUIRE(pipeline.apply(inserted).ok());
        REQUIRE(pipeline.apply(deleted).ok());
    }

    Identity identity_;
    std::shared_ptr<const history_writer::HistoryTable> table_;
    Bytes relation_;
    std::vector<Bytes> rows_;
    Lsn end_{1000};
    bool bound_{false};
};

/// Allocations by rows in a batch that is as large as the ones before it.
std::uint64_t allocations_in_steady_state(Identity identity) {
    Traffic traffic{identity};
    replicator::StreamPipeline pipeline{history_writer::WireForm::text, Lsn{}, std::nullopt};
    std::uint64_t counted_last = 0;
    for (int batch = 0; batch < 3; ++batch) {
        counted_last = traffic.send(pipeline);
        pipeline.builder().recycle(pipeline.builder().take(false));
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

TEST_CASE("rows of a keyed table ask for no memory once buffers have grown", "[replicator]") {
    REQUIRE(allocations_in_steady_state(Identity::key) == 0);
}

TEST_CASE("rows of a keyed table under FULL ask for no memory either", "[replicator]") {
    REQUIRE(allocations_in_steady_state(Identity::full) == 0);
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

TEST_CASE("rows of a table without a key ask for no memory either", "[replicator]") {
    REQUIRE(allocations_in_steady_state(Identity::whole_row) == 0);
}
