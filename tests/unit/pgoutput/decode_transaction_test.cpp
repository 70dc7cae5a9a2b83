#include "tests/support/wire_builder.hpp"
#include "tests/unit/pgoutput/decoded.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::pgoutput;
using namespace pgchronicle::test;
using enum StreamContext;

// Begin, Commit, Origin, and what frames streamed and prepared transactions: bytes written out by
// hand, as the manual lists them.

namespace {

const PgTimestamp time_a{846'849'600'123'456};
const PgTimestamp time_b{-5};

}  // namespace

TEST_CASE("Begin has the commit's position, its time and the xid", "[pgoutput]") {
    const auto begin =
        decoded<Begin>(WireWriter{}.letter('B').u64(0x16B374D800).time(time_a).u32(742).take());
    CHECK(begin->final_lsn == Lsn{0x16B374D800});
    CHECK(begin->commit_time == time_a);
    CHECK(begin->xid == Xid{742});
}

TEST_CASE("Begin at 0/0 is rejected", "[pgoutput]") {
    const auto error = rejected(encode(Begin{Lsn{0}, time_a, Xid{742}}));
    CHECK(error.code == DecodeErrc::bad_position);
    CHECK(error.offset == 1);
}

TEST_CASE("Commit has start and end of the commit record", "[pgoutput]") {
    const auto commit =
        decoded<Commit>(WireWriter{}.letter('C').u8(0).u64(100).u64(148).time(time_b).take());
    CHECK(commit->flags == 0);
    CHECK(commit->commit_lsn == Lsn{100});
    CHECK(commit->end_lsn == Lsn{148});
    CHECK(commit->commit_time == time_b);
}

TEST_CASE("decode rejects a Commit that ends where it starts, or before", "[pgoutput]") {
    for (const std::uint64_t end : {100U, 99U, 0U}) {
        const auto error = rejected(encode(Commit{0, Lsn{100}, Lsn{end}, time_a}));
        CHECK(error.code == DecodeErrc::bad_position);
        CHECK(error.offset == 10);
    }
    CHECK(rejected(encode(Commit{0, Lsn{0}, Lsn{10}, time_a})).offset == 2);
}

TEST_CASE("flags of a Commit are rejected, since no version sends any", "[pgoutput]") {
    const auto error = rejected(encode(Commit{1, Lsn{100}, Lsn{148}, time_a}));
    CHECK(error.code == DecodeErrc::bad_flags);
    CHECK(error.offset == 1);
}

TEST_CASE("Commit positions fill all 64 bits", "[pgoutput]") {
    const auto commit =
        decoded<Commit>(encode(Commit{0, Lsn{0x8000000000000000}, Lsn{~0ULL}, time_a}));
    CHECK(commit->commit_lsn == Lsn{0x8000000000000000});
    CHECK(commit->end_lsn == Lsn{~0ULL});
}

TEST_CASE("Origin has a position on the other server and a name", "[pgoutput]") {
    const auto origin =
        decoded<Origin>(WireWriter{}.letter('O').u64(7).c_string("pg_16389").take());
    CHECK(origin->origin_lsn == Lsn{7});
    CHECK(origin->name == "pg_16389");
}

TEST_CASE("Stream Start has the top-level xid and tells the first segment", "[pgoutput]") {
    const auto first = decoded<StreamStart>(WireWriter{}.letter('S').u32(742).u8(1).take());
    CHECK(first->xid == Xid{742});
    CHECK(first->first_segment);
    CHECK_FALSE(decoded<StreamStart>(WireWriter{}.letter('S').u32(742).u8(0).take())->first_segment
    );
    CHECK(rejected(WireWriter{}.letter('S').u32(742).u8(2).take()).code == DecodeErrc::bad_flags);
}

TEST_CASE("Stream Stop is a tag alone", "[pgoutput]") {
    decoded<StreamStop>(WireWriter{}.letter('E').take());
}

TEST_CASE("Stream Commit is a Commit with an xid", "[pgoutput]") {
    const auto commit = decoded<StreamCommit>(
        WireWriter{}.letter('c').u32(742).u8(0).u64(100).u64(148).time(time_a).take()
    );
    CHECK(commit->xid == Xid{742});
    CHECK(commit->commit_lsn == Lsn{100});
    CHECK(commit->end_lsn == Lsn{148});
    CHECK(commit->commit_time == time_a);
    CHECK(
        rejected(encode(StreamCommit{Xid{742}, 0, Lsn{100}, Lsn{100}, time_a})).code ==
        DecodeErrc::bad_position
    );
    CHECK(
        rejected(encode(StreamCommit{Xid{742}, 8, Lsn{100}, Lsn{148}, time_a})).code ==
        DecodeErrc::bad_flags
    );
}

TEST_CASE("Stream Abort has two forms that its length tells apart", "[pgoutput]") {
    const auto short_form = decoded<StreamAbort>(WireWriter{}.letter('A').u32(742).u32(743).take());
    CHECK(short_form->xid == Xid{742});
    CHECK(short_form->subxid == Xid{743});
    CHECK_FALSE(short_form->abort_lsn);
    CHECK_FALSE(short_form->abort_time);

    const auto long_form =
        decoded<StreamAbort>(WireWriter{}.letter('A').u32(742).u32(742).u64(148).time(time_a).take()
        );
    CHECK(long_form->abort_lsn == Lsn{148});
    CHECK(long_form->abort_time == time_a);
}

TEST_CASE("Begin Prepare has prepare and end position, time, xid and gid", "[pgoutput]") {
    const auto begin = decoded<BeginPrepare>(
        WireWriter{}.letter('b').u64(100).u64(148).time(time_a).u32(742).c_string("g").take()
    );
    CHECK(begin->prepare_lsn == Lsn{100});
    CHECK(begin->end_lsn == Lsn{148});
    CHECK(begin->prepare_time == time_a);
    CHECK(begin->xid == Xid{742});
    CHECK(begin->gid == "g");
}

TEST_CASE("Prepare and Stream Prepare have one layout under two tags", "[pgoutput]") {
    for (const char tag : {'P', 'p'}) {
        const auto bytes = WireWriter{}
                               .letter(tag)
                               .u8(0)
                               .u64(100)
                               .u64(148)
                               .time(time_a)
                               .u32(742)
                               .c_string("g")
                               .take();
        const auto check = [](const auto& prepare) {
            CHECK(prepare->prepare_lsn == Lsn{100});
            CHECK(prepare->end_lsn == Lsn{148});
            CHECK(prepare->prepare_time == time_a);
            CHECK(prepare->xid == Xid{742});
            CHECK(prepare->gid == "g");
        };
        if (tag == 'P') {
            check(decoded<Prepare>(bytes));
        } else {
            check(decoded<StreamPrepare>(bytes));
        }
    }
}

TEST_CASE("Commit Prepared has the commit's positions", "[pgoutput]") {
    const auto commit = decoded<CommitPrepared>(
        WireWriter{}.letter('K').u8(0).u64(100).u64(148).time(time_a).u32(742).c_string("g").take()
    );
    CHECK(commit->commit_lsn == Lsn{100});
    CHECK(commit->end_lsn == Lsn{148});
    CHECK(commit->commit_time == time_a);
    CHECK(commit->xid == Xid{742});
    CHECK(commit->gid == "g");
}

TEST_CASE("Rollback Prepared has both ends and both times", "[pgoutput]") {
    const auto rollback = decoded<RollbackPrepared>(WireWriter{}
                                                        .letter('r')
                                                        .u8(0)
                                                        .u64(148)
                                                        .u64(200)
                                                        .time(time_a)
                                                        .time(time_b)
                                                        .u32(742)
                                                        .c_string("g")
                                                        .take());
    CHECK(rollback->prepare_end_lsn == Lsn{148});
    CHECK(rollback->rollback_end_lsn == Lsn{200});
    CHECK(rollback->prepare_time == time_a);
    CHECK(rollback->rollback_time == time_b);
    CHECK(rollback->xid == Xid{742});
    CHECK(rollback->gid == "g");
}

TEST_CASE("the positions of prepared transactions are held against each other", "[pgoutput]") {
    const Lsn at{100};
    const Xid xid{742};
    CHECK(rejected(encode(BeginPrepare{at, at, time_a, xid, "g"})).offset == 9);
    CHECK(rejected(encode(Prepare{0, at, at, time_a, xid, "g"})).offset == 10);
    CHECK(rejected(encode(StreamPrepare{0, at, at, time_a, xid, "g"})).offset == 10);
    CHECK(rejected(encode(CommitPrepared{0, at, at, time_a, xid, "g"})).offset == 10);
    const RollbackPrepared rollback{0, at, at, time_a, time_b, xid, "g"};
    CHECK(rejected(encode(rollback)).offset == 10);
    CHECK(rejected(encode(rollback)).code == DecodeErrc::bad_position);
}
