#pragma once

#include "pgoutput/ids.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/relation.hpp"
#include "pgoutput/timestamp.hpp"
#include "pgoutput/tuple.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

// One struct per pgoutput message, fields in wire order. `xid` is on the wire only between Stream
// Start and Stream Stop. Everything but Relation is a view into the payload.
// Source of all: manual, protocol-logicalrep-message-formats.

namespace pgchronicle::pgoutput {

/// 'B': a transaction begins; it has committed already.
struct Begin {
    Lsn final_lsn;  ///< Start of the commit record: Commit's commit_lsn.
    PgTimestamp commit_time;
    Xid xid{};
};

/// 'C': the transaction that began is complete.
struct Commit {
    std::uint8_t flags{0};  ///< Must be 0.
    Lsn commit_lsn;         ///< Start of the commit record.
    Lsn end_lsn;            ///< First byte after it: the position to acknowledge.
    PgTimestamp commit_time;
};

/// 'O': the transaction came to the source from another server.
struct Origin {
    Lsn origin_lsn;
    std::string_view name;
};

/// 'R': what the rows that follow look like; stands until sent again.
struct RelationMessage {
    std::optional<Xid> xid;
    Relation relation;
};

/// 'Y': the name of a type that is not built in. For a domain, the base type's name.
struct TypeMessage {
    std::optional<Xid> xid;
    TypeOid type{};
    std::string_view schema_name;
    std::string_view name;
};

/// 'I'
struct Insert {
    std::optional<Xid> xid;
    RelationId relation{};
    TupleData new_tuple;
};

/// What an update or delete says of the row as it was.
enum class OldTupleKind : char {
    none = 0,
    key = 'K',   ///< Only identity columns are there; the rest reads null and means "not sent".
    full = 'O',  ///< The whole row (REPLICA IDENTITY FULL).
};

/// 'U': `old_kind` is none when the identity did not change and is not FULL.
struct Update {
    std::optional<Xid> xid;
    RelationId relation{};
    OldTupleKind old_kind{OldTupleKind::none};
    TupleData old_tuple;
    TupleData new_tuple;
};

/// 'D': `old_kind` is never none.
struct Delete {
    std::optional<Xid> xid;
    RelationId relation{};
    OldTupleKind old_kind{OldTupleKind::key};
    TupleData old_tuple;
};

/// 'T': `relation(i)` for i < relation_count.
struct Truncate {
    std::optional<Xid> xid;
    std::uint32_t relation_count{0};
    bool cascade{false};
    bool restart_identity{false};
    std::span<const std::byte> relation_oids;  ///< 4 bytes each, big-endian.

    [[nodiscard]] RelationId relation(std::size_t index) const;
};

/// 'M': pg_logical_emit_message. Non-transactional ones may stand outside Begin and Commit.
struct LogicalMessage {
    std::optional<Xid> xid;
    bool transactional{false};
    Lsn message_lsn;
    std::string_view prefix;
    std::span<const std::byte> content;
};

/// 'S': rows of an in-progress transaction follow, until 'E'.
struct StreamStart {
    Xid xid{};
    bool first_segment{false};
};

/// 'E'
struct StreamStop {};

/// 'c': the streamed transaction has committed.
struct StreamCommit {
    Xid xid{};
    std::uint8_t flags{0};
    Lsn commit_lsn;
    Lsn end_lsn;
    PgTimestamp commit_time;
};

/// 'A': a streamed transaction, or its subtransaction `subxid`, was rolled back.
/// The position and time are sent only with streaming = parallel.
struct StreamAbort {
    Xid xid{};
    Xid subxid{};  ///< Equal to `xid` when the whole transaction ends.
    std::optional<Lsn> abort_lsn;
    std::optional<PgTimestamp> abort_time;
};

/// 'b'
struct BeginPrepare {
    Lsn prepare_lsn;
    Lsn end_lsn;
    PgTimestamp prepare_time;
    Xid xid{};
    std::string_view gid;
};

/// 'P'
struct Prepare {
    std::uint8_t flags{0};
    Lsn prepare_lsn;
    Lsn end_lsn;
    PgTimestamp prepare_time;
    Xid xid{};
    std::string_view gid;
};

/// 'K'
struct CommitPrepared {
    std::uint8_t flags{0};
    Lsn commit_lsn;
    Lsn end_lsn;
    PgTimestamp commit_time;
    Xid xid{};
    std::string_view gid;
};

/// 'r'
struct RollbackPrepared {
    std::uint8_t flags{0};
    Lsn prepare_end_lsn;
    Lsn rollback_end_lsn;
    PgTimestamp prepare_time;
    PgTimestamp rollback_time;
    Xid xid{};
    std::string_view gid;
};

/// 'p'
struct StreamPrepare {
    std::uint8_t flags{0};
    Lsn prepare_lsn;
    Lsn end_lsn;
    PgTimestamp prepare_time;
    Xid xid{};
    std::string_view gid;
};

using Message = std::variant<
    Begin,
    Commit,
    Origin,
    RelationMessage,
    TypeMessage,
    Insert,
    Update,
    Delete,
    Truncate,
    LogicalMessage,
    StreamStart,
    StreamStop,
    StreamCommit,
    StreamAbort,
    BeginPrepare,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
    StreamPrepare>;

/// What PostgreSQL calls the kind of a message, "STREAM START".
[[nodiscard]] std::string_view name_of(const Message& message);

/// Visits a Message with one lambda per alternative; no default branch.
template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace pgchronicle::pgoutput
