#pragma once

#include "tests/fuzz/story_delivery.hpp"
#include "tests/support/wire_builder.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

// One thing that is wrong with the frames of a session, as a broken server, a broken network or
// somebody else would have it. TESTING lists what must be among them.

namespace pgchronicle::test {

enum class Fault : std::uint8_t {
    none,
    breaks_off,  ///< CopyDone, an error, a lost connection.
    keepalive,   ///< One that asks, and goes back.
    far_ahead,   ///< A keepalive of a position that no server has.
    abort,       ///< Of a transaction of which nothing was sent, or of one again.
    shortened,
    lengthened,
    number_32,  ///< A length, an id or half of a position is some number of interest.
    number_16,  ///< A count of columns is.
    one_byte,
    dropped,
    repeated,
    swapped,
    stray,  ///< A message that has no place there.
    count,
};

/// Whether a server may do that, and the history says what it says without.
inline bool is_harmless(Fault fault) {
    return fault == Fault::none || fault == Fault::keepalive || fault == Fault::abort;
}

/// Where and how, out of the fuzzer's bytes.
struct FaultPlan {
    Fault kind{Fault::none};
    std::size_t frame{0};
    std::size_t offset{0};
    std::size_t choice{0};
};

/// The bytes of an XLogData frame before its payload.
inline constexpr std::size_t frame_header_bytes = 25;

inline Bytes as_frame(const Bytes& payload) {
    return encode(pgoutput::XLogData{{}, {}, {}, payload});
}

/// Messages that are wrong wherever they stand, or nearly anywhere.
inline std::vector<Bytes> stray_messages() {
    using namespace pgoutput;
    const Lsn low{8};
    const Lsn high{std::numeric_limits<std::uint64_t>::max()};
    const Xid nobody{999'999};
    const RelationId unknown{99};
    const Row none{std::vector<Cell>{}};
    const Row toast{unchanged(), unchanged(), unchanged()};
    const Row narrow{text("1")};
    const auto first = relation_id(0);
    const auto no_oids = oids({});
    const auto one_oid = oids({99});
    WireWriter both_old;
    both_old.letter('U').relation_id(first).letter('K').tuple(toast.tuple());
    both_old.letter('O').tuple(toast.tuple()).letter('N').tuple(toast.tuple());
    WireWriter huge_message;
    huge_message.letter('M').flag(true).lsn(low).c_string("p").i32(1 << 30);
    WireWriter many_tables;
    many_tables.letter('T').u32(1U << 31U).u8(0);
    WireWriter many_columns;
    many_columns.letter('I').relation_id(first).letter('N').u16(32767);
    WireWriter minus_columns;
    minus_columns.letter('I').relation_id(first).letter('N').u16(0xFFFFU);
    WireWriter endless_name;
    endless_name.letter('R').relation_id(unknown).text("no NUL comes");
    const std::string gid{"nobody's"};
    return {
        encode(Begin{high, {}, nobody}),
        encode(Begin{low, {}, nobody}),
        encode(Commit{0, low, high, {}}),
        encode(Commit{0, high, low, {}}),
        encode(StreamStart{nobody, true}),
        encode(StreamStart{nobody, false}),
        encode(StreamStop{}),
        encode(StreamCommit{nobody, 0, low, high, {}}),
        encode(BeginPrepare{low, low, {}, nobody, gid}),
        encode(Prepare{0, low, low, {}, nobody, gid}),
        encode(StreamPrepare{0, low, low, {}, nobody, gid}),
        encode(CommitPrepared{0, low, high, {}, nobody, gid}),
        encode(RollbackPrepared{0, low, high, {}, {}, nobody, gid}),
        encode(Origin{low, "somewhere"}),
        encode(TypeMessage{{}, static_cast<TypeOid>(20000), "public", "mood"}),
        encode(Insert{{}, unknown, none.tuple()}),
        encode(Insert{{}, first, toast.tuple()}),
        encode(Insert{{}, first, narrow.tuple()}),
        encode(Update{{}, first, OldTupleKind::none, {}, toast.tuple()}),
        encode(Update{{}, first, OldTupleKind::key, toast.tuple(), toast.tuple()}),
        encode(Delete{{}, first, OldTupleKind::key, toast.tuple()}),
        encode(Truncate{{}, 0, false, false, no_oids}),
        encode(Truncate{{}, 1, true, true, one_oid}),
        encode(LogicalMessage{{}, false, low, "prefix", {}}),
        both_old.take(),
        huge_message.take(),
        many_tables.take(),
        many_columns.take(),
        minus_columns.take(),
        endless_name.take(),
        Bytes{},
    };
}

inline Bytes keepalive_at(std::uint64_t position) {
    return encode(pgoutput::Keepalive{pgoutput::Lsn{position}, {}, true});
}

/// Does it to the frames; the index of the first one that is not as it was.
inline std::size_t commit_fault(std::vector<Bytes>& frames, const FaultPlan& plan) {
    if (frames.empty()) return 0;
    const auto at = plan.frame % frames.size();
    const auto here = frames.begin() + static_cast<std::ptrdiff_t>(at);
    const auto insert = [&](Bytes bytes) { frames.insert(here, std::move(bytes)); };
    const auto overwrite = [&](const Bytes& number) {
        auto& bytes = *here;
        const auto from = frame_header_bytes + 1;
        if (bytes.size() < from + number.size()) return;
        const auto places = bytes.size() - from - number.size() + 1;
        std::ranges::copy(
            number, bytes.begin() + static_cast<std::ptrdiff_t>(from + plan.offset % places)
        );
    };
    constexpr std::array<std::uint32_t, 6> numbers_32{
        0, 1, 0xFFFFFFFFU, 0x80000000U, 0x7FFFFFFFU, 1U << 30U};
    constexpr std::array<unsigned, 4> numbers_16{0, 1, 0xFFFFU, 32767};
    const auto strays = stray_messages();
    switch (plan.kind) {
    case Fault::none:
    case Fault::count:
        return frames.size();
    case Fault::breaks_off:
        frames.erase(here, frames.end());
        break;
    case Fault::keepalive:
        frames.insert(here, keepalive_at(plan.choice));
        break;
    case Fault::far_ahead:
        frames.insert(here, keepalive_at(std::uint64_t{1} << 63U));
        break;
    case Fault::abort: {
        const auto xid = static_cast<pgoutput::Xid>(999'999);
        insert(as_frame(encode(pgoutput::StreamAbort{xid, xid, {}, {}})));
        break;
    }
    case Fault::shortened:
        here->resize(plan.offset % here->size());
        break;
    case Fault::lengthened:
        here->insert(here->end(), 1 + plan.offset % 8, std::byte{0});
        break;
    case Fault::number_32:
        overwrite(WireWriter{}.u32(numbers_32[plan.choice % numbers_32.size()]).take());
        break;
    case Fault::number_16:
        overwrite(WireWriter{}.u16(numbers_16[plan.choice % numbers_16.size()]).take());
        break;
    case Fault::one_byte:
        (*here)[plan.offset % here->size()] = static_cast<std::byte>(plan.choice);
        break;
    case Fault::dropped:
        frames.erase(here);
        break;
    case Fault::repeated:
        insert(Bytes{*here});
        break;
    case Fault::swapped:
        if (at + 1 < frames.size()) std::swap(*here, *(here + 1));
        break;
    case Fault::stray:
        insert(as_frame(strays[plan.choice % strays.size()]));
        break;
    }
    return at;
}

}  // namespace pgchronicle::test
