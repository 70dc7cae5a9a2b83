#include "pgoutput/decode.hpp"

#include "pgoutput/byte_reader.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::pgoutput {

namespace {

/// A table cannot have more: MaxHeapAttributeNumber in access/htup_details.h.
constexpr std::uint16_t columns_max = 1600;

/// Flags, two NULs' worth of name, type, modifier: no column of a Relation message is shorter.
constexpr std::size_t relation_column_bytes_min = 10;

Lsn read_lsn(ByteReader& in) {
    return Lsn{in.u64()};
}
PgTimestamp read_timestamp(ByteReader& in) {
    return PgTimestamp{in.i64()};
}
Xid read_xid(ByteReader& in) {
    return Xid{in.u32()};
}
RelationId read_relation_id(ByteReader& in) {
    return RelationId{in.u32()};
}

std::optional<Xid> read_stream_xid(ByteReader& in, StreamContext context) {
    if (context == StreamContext::outside_stream) return std::nullopt;
    return read_xid(in);
}

/// The empty name stands for pg_catalog on the wire.
std::string_view read_schema_name(ByteReader& in) {
    const auto name = in.c_string();
    return name.empty() ? std::string_view{"pg_catalog"} : name;
}

/// Flags that no version of the protocol uses yet.
std::uint8_t read_zero_flags(ByteReader& in) {
    const auto at = in.offset();
    const auto flags = in.u8();
    in.require(flags == 0, DecodeErrc::bad_flags, at);
    return flags;
}

bool read_bool(ByteReader& in) {
    const auto at = in.offset();
    const auto flag = in.u8();
    in.require(flag <= 1, DecodeErrc::bad_flags, at);
    return flag == 1;
}

/// A length as the wire has it: a signed number that is never negative.
std::size_t read_length(ByteReader& in) {
    const auto at = in.offset();
    const auto length = in.i32();
    in.require(length >= 0, DecodeErrc::bad_length, at);
    return in.ok() ? static_cast<std::size_t>(length) : 0;
}

std::uint16_t read_column_count(ByteReader& in) {
    const auto at = in.offset();
    const auto count = in.u16();  // A negative count is a large one here.
    in.require(count <= columns_max, DecodeErrc::bad_column_count, at);
    return in.ok() ? count : std::uint16_t{0};
}

/// A position that exists, as every one in a commit or prepare does.
Lsn read_valid_lsn(ByteReader& in) {
    const auto at = in.offset();
    const auto lsn = read_lsn(in);
    in.require(lsn.valid(), DecodeErrc::bad_position, at);
    return lsn;
}

/// The end of what began at `start`.
Lsn read_lsn_after(ByteReader& in, Lsn start) {
    const auto at = in.offset();
    const auto lsn = read_lsn(in);
    in.require(lsn > start, DecodeErrc::bad_position, at);
    return lsn;
}

/// Int16 count, then per column a kind byte and, for text and binary, a length and the bytes.
TupleData read_tuple(ByteReader& reader) {
    ByteReader in{reader};  // A copy that stays in registers: this loop sees every value.
    const auto column_count = read_column_count(in);
    const auto start = in.offset();
    bool has_unchanged_toast = false;
    for (std::uint16_t column = 0; column < column_count && in.ok(); ++column) {
        const auto at = in.offset();
        const auto kind = static_cast<ValueKind>(in.character());
        if (kind == ValueKind::text || kind == ValueKind::binary) {
            static_cast<void>(in.bytes(read_length(in)));
        } else if (kind == ValueKind::unchanged_toast) {
            has_unchanged_toast = true;
        } else {
            in.require(kind == ValueKind::null, DecodeErrc::bad_value_kind, at);
        }
    }
    reader = in;
    if (!in.ok()) return {};
    return {column_count, in.since(start), has_unchanged_toast};
}

void read_begin(ByteReader& in, Begin& message) {
    message.final_lsn = read_valid_lsn(in);
    message.commit_time = read_timestamp(in);
    message.xid = read_xid(in);
}

void read_commit(ByteReader& in, Commit& message) {
    message.flags = read_zero_flags(in);
    message.commit_lsn = read_valid_lsn(in);
    message.end_lsn = read_lsn_after(in, message.commit_lsn);
    message.commit_time = read_timestamp(in);
}

void read_origin(ByteReader& in, Origin& message) {
    message.origin_lsn = read_lsn(in);
    message.name = in.c_string();
}

ReplicaIdentity read_replica_identity(ByteReader& in) {
    const auto at = in.offset();
    const auto identity = static_cast<ReplicaIdentity>(in.character());
    const bool is_known = identity == ReplicaIdentity::by_default ||
                          identity == ReplicaIdentity::nothing ||
                          identity == ReplicaIdentity::full || identity == ReplicaIdentity::index;
    in.require(is_known, DecodeErrc::bad_replica_identity, at);
    return identity;
}

Column read_column(ByteReader& in) {
    Column column;
    column.in_identity = read_bool(in);
    column.name = in.c_string();
    column.type = TypeOid{in.u32()};
    column.type_modifier = in.i32();
    return column;
}

void read_relation(ByteReader& in, StreamContext context, RelationMessage& message) {
    message.xid = read_stream_xid(in, context);
    auto& relation = message.relation;
    relation.id = read_relation_id(in);
    relation.schema_name = read_schema_name(in);
    relation.name = in.c_string();
    relation.replica_identity = read_replica_identity(in);
    const std::size_t column_count = read_column_count(in);
    // Memory follows the bytes that are there, not the count that is claimed.
    relation.columns.reserve(std::min(column_count, in.remaining() / relation_column_bytes_min));
    for (std::size_t column = 0; column < column_count && in.ok(); ++column) {
        relation.columns.push_back(read_column(in));
    }
}

void read_type(ByteReader& in, StreamContext context, TypeMessage& message) {
    message.xid = read_stream_xid(in, context);
    message.type = TypeOid{in.u32()};
    message.schema_name = read_schema_name(in);
    message.name = in.c_string();
}

/// The letter before a tuple; `old` tells whether an old tuple may stand here, `updated` whether
/// a new one may.
char read_tuple_kind(ByteReader& in, bool old, bool updated) {
    const auto at = in.offset();
    const auto kind = in.character();
    const bool is_old = kind == 'K' || kind == 'O';
    in.require((old && is_old) || (updated && kind == 'N'), DecodeErrc::bad_tuple_kind, at);
    return kind;
}

void read_insert(ByteReader& in, StreamContext context, Insert& message) {
    message.xid = read_stream_xid(in, context);
    message.relation = read_relation_id(in);
    static_cast<void>(read_tuple_kind(in, /*old=*/false, /*updated=*/true));
    message.new_tuple = read_tuple(in);
}

void read_update(ByteReader& in, StreamContext context, Update& message) {
    message.xid = read_stream_xid(in, context);
    message.relation = read_relation_id(in);
    const auto kind = read_tuple_kind(in, /*old=*/true, /*updated=*/true);
    if (in.ok() && kind != 'N') {
        message.old_kind = static_cast<OldTupleKind>(kind);
        message.old_tuple = read_tuple(in);
        static_cast<void>(read_tuple_kind(in, /*old=*/false, /*updated=*/true));
    }
    message.new_tuple = read_tuple(in);
}

void read_delete(ByteReader& in, StreamContext context, Delete& message) {
    message.xid = read_stream_xid(in, context);
    message.relation = read_relation_id(in);
    message.old_kind = static_cast<OldTupleKind>(read_tuple_kind(in, /*old=*/true, false));
    message.old_tuple = read_tuple(in);
}

void read_truncate(ByteReader& in, StreamContext context, Truncate& message) {
    constexpr std::uint8_t cascade_flag = 1;
    constexpr std::uint8_t restart_identity_flag = 2;
    message.xid = read_stream_xid(in, context);
    const auto count_at = in.offset();
    const auto relation_count = read_length(in);
    in.require(relation_count > 0, DecodeErrc::bad_length, count_at);
    const auto flags_at = in.offset();
    const unsigned flags = in.u8();
    const unsigned flags_known = cascade_flag | restart_identity_flag;
    in.require((flags & ~flags_known) == 0, DecodeErrc::bad_flags, flags_at);
    message.relation_count = static_cast<std::uint32_t>(relation_count);
    message.cascade = (flags & cascade_flag) != 0;
    message.restart_identity = (flags & restart_identity_flag) != 0;
    message.relation_oids = in.bytes(relation_count * sizeof(std::uint32_t));
}

void read_logical_message(ByteReader& in, StreamContext context, LogicalMessage& message) {
    message.xid = read_stream_xid(in, context);
    message.transactional = read_bool(in);
    message.message_lsn = read_lsn(in);
    message.prefix = in.c_string();
    message.content = in.bytes(read_length(in));
}

void read_stream_start(ByteReader& in, StreamStart& message) {
    message.xid = read_xid(in);
    message.first_segment = read_bool(in);
}

void read_stream_stop(ByteReader& /*in*/, StreamStop& /*message*/) {}

void read_stream_commit(ByteReader& in, StreamCommit& message) {
    message.xid = read_xid(in);
    message.flags = read_zero_flags(in);
    message.commit_lsn = read_valid_lsn(in);
    message.end_lsn = read_lsn_after(in, message.commit_lsn);
    message.commit_time = read_timestamp(in);
}

/// Two forms: position and time are there only with streaming = parallel. The length tells.
void read_stream_abort(ByteReader& in, StreamAbort& message) {
    message.xid = read_xid(in);
    message.subxid = read_xid(in);
    if (in.ok() && in.remaining() > 0) {
        message.abort_lsn = read_lsn(in);
        message.abort_time = read_timestamp(in);
    }
}

void read_begin_prepare(ByteReader& in, BeginPrepare& message) {
    message.prepare_lsn = read_valid_lsn(in);
    message.end_lsn = read_lsn_after(in, message.prepare_lsn);
    message.prepare_time = read_timestamp(in);
    message.xid = read_xid(in);
    message.gid = in.c_string();
}

/// 'P' and 'p' have one layout.
template <typename PrepareOrStreamPrepare>
void read_prepare(ByteReader& in, PrepareOrStreamPrepare& message) {
    message.flags = read_zero_flags(in);
    message.prepare_lsn = read_valid_lsn(in);
    message.end_lsn = read_lsn_after(in, message.prepare_lsn);
    message.prepare_time = read_timestamp(in);
    message.xid = read_xid(in);
    message.gid = in.c_string();
}

void read_commit_prepared(ByteReader& in, CommitPrepared& message) {
    message.flags = read_zero_flags(in);
    message.commit_lsn = read_valid_lsn(in);
    message.end_lsn = read_lsn_after(in, message.commit_lsn);
    message.commit_time = read_timestamp(in);
    message.xid = read_xid(in);
    message.gid = in.c_string();
}

void read_rollback_prepared(ByteReader& in, RollbackPrepared& message) {
    message.flags = read_zero_flags(in);
    message.prepare_end_lsn = read_valid_lsn(in);
    message.rollback_end_lsn = read_lsn_after(in, message.prepare_end_lsn);
    message.prepare_time = read_timestamp(in);
    message.rollback_time = read_timestamp(in);
    message.xid = read_xid(in);
    message.gid = in.c_string();
}

/// Reads a message with `read` in its place in the result; moving it there would cost as much as
/// reading it.
template <typename T>
Decoded<Message> message_of(
    ByteReader& in,
    char tag,
    StreamContext context,
    void (*read)(ByteReader&, StreamContext, T&)
) {
    Decoded<Message> decoded{std::in_place, std::in_place_type<T>};
    read(in, context, *std::get_if<T>(&decoded.value()));
    if (const auto error = in.finish(tag); error.code != DecodeErrc::ok) decoded = error;
    return decoded;
}

/// The same for a message that is laid out alike everywhere.
template <typename T>
Decoded<Message> message_of(ByteReader& in, char tag, void (*read)(ByteReader&, T&)) {
    Decoded<Message> decoded{std::in_place, std::in_place_type<T>};
    read(in, *std::get_if<T>(&decoded.value()));
    if (const auto error = in.finish(tag); error.code != DecodeErrc::ok) decoded = error;
    return decoded;
}

}  // namespace

Decoded<Message> decode(std::span<const std::byte> payload, StreamContext context) {
    ByteReader in{payload};
    const char tag = in.character();
    switch (tag) {
    case 'B':
        return message_of(in, tag, read_begin);
    case 'C':
        return message_of(in, tag, read_commit);
    case 'O':
        return message_of(in, tag, read_origin);
    case 'R':
        return message_of(in, tag, context, read_relation);
    case 'Y':
        return message_of(in, tag, context, read_type);
    case 'I':
        return message_of(in, tag, context, read_insert);
    case 'U':
        return message_of(in, tag, context, read_update);
    case 'D':
        return message_of(in, tag, context, read_delete);
    case 'T':
        return message_of(in, tag, context, read_truncate);
    case 'M':
        return message_of(in, tag, context, read_logical_message);
    case 'S':
        return message_of(in, tag, read_stream_start);
    case 'E':
        return message_of(in, tag, read_stream_stop);
    case 'c':
        return message_of(in, tag, read_stream_commit);
    case 'A':
        return message_of(in, tag, read_stream_abort);
    case 'b':
        return message_of(in, tag, read_begin_prepare);
    case 'P':
        return message_of(in, tag, read_prepare<Prepare>);
    case 'K':
        return message_of(in, tag, read_commit_prepared);
    case 'r':
        return message_of(in, tag, read_rollback_prepared);
    case 'p':
        return message_of(in, tag, read_prepare<StreamPrepare>);
    default:
        break;
    }
    // An empty payload has failed already; anything else has a tag that nobody knows.
    in.require(false, DecodeErrc::unknown_tag, 0);
    return in.finish(tag);
}

}  // namespace pgchronicle::pgoutput
