#pragma once

#include "pgoutput/decode.hpp"
#include "tests/support/wire_builder.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::test {

/// One well-formed message: what to call it, where it stands, its bytes.
struct Sample {
    std::string name;
    pgoutput::StreamContext context{};
    Bytes bytes;
};

inline pgoutput::Relation orders_relation() {
    using namespace pgoutput;
    return Relation{
        RelationId{16400},
        "operations",
        "orders",
        ReplicaIdentity::by_default,
        {{true, "id", TypeOid{20}, -1},
         {false, "note", TypeOid{25}, -1},
         {false, "amount", TypeOid{1700}, 655366}}};
}

namespace detail {

/// The messages that carry an xid inside a streamed block and none outside it.
inline std::vector<Sample> row_samples(
    const std::string& where,
    pgoutput::StreamContext context,
    std::optional<pgoutput::Xid> xid
) {
    using namespace pgoutput;
    const RelationId id{16400};
    const Row row{text("1"), text("first"), null()};
    const Row toasted{text("1"), unchanged(), text("2.50")};
    const Row key{text("1"), null(), null()};
    const Row full{binary(std::string{"\0\1", 2}), text(""), null()};
    const auto both = oids({16400, 16401});
    const auto one = oids({16400});
    const auto content = WireWriter{}.text("any bytes").take();

    const std::vector<std::pair<std::string, Bytes>> messages{
        {"relation", encode(RelationMessage{xid, orders_relation()})},
        {"relation_without_columns",
         encode(RelationMessage{xid, {id, "pg_catalog", "nothing", ReplicaIdentity::nothing, {}}})},
        {"type", encode(TypeMessage{xid, TypeOid{16390}, "operations", "mood"})},
        {"insert", encode(Insert{xid, id, row.tuple()})},
        {"insert_binary", encode(Insert{xid, id, full.tuple()})},
        {"insert_without_columns", encode(Insert{xid, id, {}})},
        {"update", encode(Update{xid, id, OldTupleKind::none, {}, toasted.tuple()})},
        {"update_key", encode(Update{xid, id, OldTupleKind::key, key.tuple(), row.tuple()})},
        {"update_full", encode(Update{xid, id, OldTupleKind::full, full.tuple(), row.tuple()})},
        {"delete_key", encode(Delete{xid, id, OldTupleKind::key, key.tuple()})},
        {"delete_full", encode(Delete{xid, id, OldTupleKind::full, full.tuple()})},
        {"truncate", encode(Truncate{xid, 1, false, false, one})},
        {"truncate_cascade_restart", encode(Truncate{xid, 2, true, true, both})},
        {"message", encode(LogicalMessage{xid, true, Lsn{0x1234}, "prefix", content})},
        {"message_empty", encode(LogicalMessage{xid, false, Lsn{0x1234}, "", {}})},
    };
    std::vector<Sample> samples;
    for (const auto& [name, bytes] : messages) samples.push_back({where + name, context, bytes});
    return samples;
}

}  // namespace detail

/// Every kind of message in every form it has, at least once.
inline std::vector<Sample> sample_messages() {
    using namespace pgoutput;
    using enum StreamContext;
    const PgTimestamp time{846'849'600'123'456};
    const Xid xid{742};
    const Lsn start{0x16'B374'D800};
    const Lsn end{0x16'B374'D848};

    std::vector<Sample> samples{
        {"begin", outside_stream, encode(Begin{start, time, xid})},
        {"commit", outside_stream, encode(Commit{0, start, end, time})},
        {"origin", outside_stream, encode(Origin{Lsn{7}, "north"})},
        {"stream_start", outside_stream, encode(StreamStart{xid, true})},
        {"stream_start_again", outside_stream, encode(StreamStart{xid, false})},
        {"stream_stop", inside_stream, encode(StreamStop{})},
        {"stream_commit", outside_stream, encode(StreamCommit{xid, 0, start, end, time})},
        {"stream_abort", outside_stream, encode(StreamAbort{xid, Xid{743}, {}, {}})},
        {"stream_abort_parallel", outside_stream, encode(StreamAbort{xid, xid, end, time})},
        {"begin_prepare", outside_stream, encode(BeginPrepare{start, end, time, xid, "gid 1"})},
        {"prepare", outside_stream, encode(Prepare{0, start, end, time, xid, "gid 1"})},
        {"commit_prepared",
         outside_stream,
         encode(CommitPrepared{0, start, end, time, xid, "gid 1"})},
        {"rollback_prepared",
         outside_stream,
         encode(RollbackPrepared{0, start, end, time, PgTimestamp{-1}, xid, "gid 1"})},
        {"stream_prepare",
         outside_stream,
         encode(StreamPrepare{0, start, end, time, xid, "gid 1"})},
    };
    for (auto& sample : detail::row_samples("", outside_stream, std::nullopt)) {
        samples.push_back(std::move(sample));
    }
    for (auto& sample : detail::row_samples("streamed_", inside_stream, xid)) {
        samples.push_back(std::move(sample));
    }
    return samples;
}

}  // namespace pgchronicle::test
