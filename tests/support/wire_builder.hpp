#pragma once

#include "pgoutput/message.hpp"
#include "pgoutput/stream_frame.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// Writes the bytes that a walsender would: the inverse of pgoutput's decoder. It shares the
// message structs with it and no code.

namespace pgchronicle::test {

using Bytes = std::vector<std::byte>;

/// Appends fields in network byte order.
class WireWriter {
public:
    WireWriter& u8(unsigned value) {
        bytes_.push_back(static_cast<std::byte>(value));
        return *this;
    }
    WireWriter& u16(unsigned value) { return u8(value >> 8U & 0xFFU).u8(value & 0xFFU); }
    WireWriter& u32(std::uint32_t value) { return u16(value >> 16U).u16(value & 0xFFFFU); }
    WireWriter& u64(std::uint64_t value) {
        return u32(static_cast<std::uint32_t>(value >> 32U))
            .u32(static_cast<std::uint32_t>(value & 0xFFFFFFFFU));
    }
    WireWriter& i32(std::int32_t value) { return u32(std::bit_cast<std::uint32_t>(value)); }
    WireWriter& letter(char value) { return u8(static_cast<unsigned char>(value)); }
    WireWriter& flag(bool value) { return u8(value ? 1 : 0); }
    WireWriter& text(std::string_view value) {
        for (const char c : value) letter(c);
        return *this;
    }
    WireWriter& c_string(std::string_view value) { return text(value).u8(0); }
    WireWriter& raw(std::span<const std::byte> value) {
        bytes_.insert(bytes_.end(), value.begin(), value.end());
        return *this;
    }

    WireWriter& lsn(pgoutput::Lsn value) { return u64(value.value); }
    WireWriter& time(pgoutput::PgTimestamp value) {
        return u64(std::bit_cast<std::uint64_t>(value.microseconds));
    }
    WireWriter& xid(pgoutput::Xid value) { return u32(static_cast<std::uint32_t>(value)); }
    WireWriter& relation_id(pgoutput::RelationId value) {
        return u32(static_cast<std::uint32_t>(value));
    }
    /// The xid that stands in messages inside a streamed block only.
    WireWriter& stream_xid(const std::optional<pgoutput::Xid>& value) {
        return value ? xid(*value) : *this;
    }
    WireWriter& schema_name(std::string_view value) {
        return c_string(value == "pg_catalog" ? std::string_view{} : value);
    }
    WireWriter& tuple(const pgoutput::TupleData& value) {
        return u16(value.column_count).raw(value.wire);
    }

    [[nodiscard]] Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_;
};

/// One value of a row under construction.
struct Cell {
    pgoutput::ValueKind kind{pgoutput::ValueKind::null};
    std::string content;
};

inline Cell null() {
    return {};
}
inline Cell unchanged() {
    return {pgoutput::ValueKind::unchanged_toast, {}};
}
inline Cell text(std::string content) {
    return {pgoutput::ValueKind::text, std::move(content)};
}
inline Cell binary(std::string content) {
    return {pgoutput::ValueKind::binary, std::move(content)};
}

/// Owns the wire form of one tuple; the tuple it gives points into it.
class Row {
public:
    Row(std::initializer_list<Cell> cells) : Row{std::vector<Cell>{cells}} {}
    explicit Row(const std::vector<Cell>& cells) {
        WireWriter out;
        for (const auto& cell : cells) {
            out.letter(static_cast<char>(cell.kind));
            has_unchanged_toast_ |= cell.kind == pgoutput::ValueKind::unchanged_toast;
            const bool has_content =
                cell.kind == pgoutput::ValueKind::text || cell.kind == pgoutput::ValueKind::binary;
            if (!has_content) continue;
            out.u32(static_cast<std::uint32_t>(cell.content.size())).text(cell.content);
        }
        column_count_ = static_cast<std::uint16_t>(cells.size());
        wire_ = out.take();
    }

    /// Dies with this row.
    [[nodiscard]] pgoutput::TupleData tuple() const {
        return {column_count_, wire_, has_unchanged_toast_};
    }

private:
    std::uint16_t column_count_{0};
    bool has_unchanged_toast_{false};
    Bytes wire_;
};

inline Bytes encode(const pgoutput::Begin& m) {
    return WireWriter{}.letter('B').lsn(m.final_lsn).time(m.commit_time).xid(m.xid).take();
}

inline Bytes encode(const pgoutput::Commit& m) {
    WireWriter out;
    out.letter('C').u8(m.flags).lsn(m.commit_lsn).lsn(m.end_lsn).time(m.commit_time);
    return out.take();
}

inline Bytes encode(const pgoutput::Origin& m) {
    return WireWriter{}.letter('O').lsn(m.origin_lsn).c_string(m.name).take();
}

inline Bytes encode(const pgoutput::RelationMessage& m) {
    WireWriter out;
    const auto& relation = m.relation;
    out.letter('R').stream_xid(m.xid).relation_id(relation.id);
    out.schema_name(relation.schema_name).c_string(relation.name);
    out.letter(static_cast<char>(relation.replica_identity));
    out.u16(static_cast<unsigned>(relation.columns.size()));
    for (const auto& column : relation.columns) {
        out.flag(column.in_identity).c_string(column.name);
        out.u32(static_cast<std::uint32_t>(column.type)).i32(column.type_modifier);
    }
    return out.take();
}

inline Bytes encode(const pgoutput::TypeMessage& m) {
    WireWriter out;
    out.letter('Y').stream_xid(m.xid).u32(static_cast<std::uint32_t>(m.type));
    return out.schema_name(m.schema_name).c_string(m.name).take();
}

inline Bytes encode(const pgoutput::Insert& m) {
    WireWriter out;
    out.letter('I').stream_xid(m.xid).relation_id(m.relation);
    return out.letter('N').tuple(m.new_tuple).take();
}

inline Bytes encode(const pgoutput::Update& m) {
    WireWriter out;
    out.letter('U').stream_xid(m.xid).relation_id(m.relation);
    if (m.old_kind != pgoutput::OldTupleKind::none) {
        out.letter(static_cast<char>(m.old_kind)).tuple(m.old_tuple);
    }
    return out.letter('N').tuple(m.new_tuple).take();
}

inline Bytes encode(const pgoutput::Delete& m) {
    WireWriter out;
    out.letter('D').stream_xid(m.xid).relation_id(m.relation);
    return out.letter(static_cast<char>(m.old_kind)).tuple(m.old_tuple).take();
}

inline Bytes encode(const pgoutput::Truncate& m) {
    WireWriter out;
    out.letter('T').stream_xid(m.xid).u32(m.relation_count);
    out.u8((m.cascade ? 1U : 0U) | (m.restart_identity ? 2U : 0U));
    return out.raw(m.relation_oids).take();
}

inline Bytes encode(const pgoutput::LogicalMessage& m) {
    WireWriter out;
    out.letter('M').stream_xid(m.xid).flag(m.transactional).lsn(m.message_lsn).c_string(m.prefix);
    return out.u32(static_cast<std::uint32_t>(m.content.size())).raw(m.content).take();
}

inline Bytes encode(const pgoutput::StreamStart& m) {
    return WireWriter{}.letter('S').xid(m.xid).flag(m.first_segment).take();
}

inline Bytes encode(const pgoutput::StreamStop& /*m*/) {
    return WireWriter{}.letter('E').take();
}

inline Bytes encode(const pgoutput::StreamCommit& m) {
    WireWriter out;
    out.letter('c').xid(m.xid).u8(m.flags);
    return out.lsn(m.commit_lsn).lsn(m.end_lsn).time(m.commit_time).take();
}

inline Bytes encode(const pgoutput::StreamAbort& m) {
    WireWriter out;
    out.letter('A').xid(m.xid).xid(m.subxid);
    if (m.abort_lsn) out.lsn(*m.abort_lsn);
    if (m.abort_time) out.time(*m.abort_time);
    return out.take();
}

inline Bytes encode(const pgoutput::BeginPrepare& m) {
    WireWriter out;
    out.letter('b').lsn(m.prepare_lsn).lsn(m.end_lsn).time(m.prepare_time);
    return out.xid(m.xid).c_string(m.gid).take();
}

inline Bytes encode(const pgoutput::Prepare& m) {
    WireWriter out;
    out.letter('P').u8(m.flags).lsn(m.prepare_lsn).lsn(m.end_lsn).time(m.prepare_time);
    return out.xid(m.xid).c_string(m.gid).take();
}

inline Bytes encode(const pgoutput::CommitPrepared& m) {
    WireWriter out;
    out.letter('K').u8(m.flags).lsn(m.commit_lsn).lsn(m.end_lsn).time(m.commit_time);
    return out.xid(m.xid).c_string(m.gid).take();
}

inline Bytes encode(const pgoutput::RollbackPrepared& m) {
    WireWriter out;
    out.letter('r').u8(m.flags).lsn(m.prepare_end_lsn).lsn(m.rollback_end_lsn);
    return out.time(m.prepare_time).time(m.rollback_time).xid(m.xid).c_string(m.gid).take();
}

inline Bytes encode(const pgoutput::StreamPrepare& m) {
    WireWriter out;
    out.letter('p').u8(m.flags).lsn(m.prepare_lsn).lsn(m.end_lsn).time(m.prepare_time);
    return out.xid(m.xid).c_string(m.gid).take();
}

inline Bytes encode(const pgoutput::Message& message) {
    return std::visit([](const auto& m) { return encode(m); }, message);
}

/// A CopyData frame around one message.
inline Bytes encode(const pgoutput::XLogData& frame) {
    WireWriter out;
    out.letter('w').lsn(frame.start_lsn).lsn(frame.wal_end).time(frame.send_time);
    return out.raw(frame.payload).take();
}

inline Bytes encode(const pgoutput::Keepalive& frame) {
    WireWriter out;
    out.letter('k').lsn(frame.wal_end).time(frame.send_time).flag(frame.reply_requested);
    return out.take();
}

/// The relation_oids of a Truncate; the caller keeps them.
inline Bytes oids(std::initializer_list<std::uint32_t> values) {
    WireWriter out;
    for (const auto value : values) out.u32(value);
    return out.take();
}

}  // namespace pgchronicle::test
