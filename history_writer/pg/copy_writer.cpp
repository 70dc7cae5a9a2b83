#include "history_writer/pg/copy_writer.hpp"

#include "history_writer/copy_row.hpp"
#include "history_writer/pg/text_literals.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::history_writer::pg {

namespace {

/// One send per this much: large enough that the kernel is asked rarely, small enough to stay in
/// the processor's cache.
constexpr std::size_t piece_bytes = 128U << 10U;

/// Source: manual, "COPY", binary format: signature, flags, extension length.
constexpr std::string_view binary_header{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};

}  // namespace

void CopyWriter::begin(const std::string& copy_sql) {
    connection_.begin_copy_in(copy_sql);
    start();
}

void CopyWriter::hold() {
    held_ = true;
    start();
}

void CopyWriter::begin_held(const std::string& copy_sql) {
    connection_.begin_copy_in(copy_sql);
    held_ = false;
}

void CopyWriter::start() {
    buffer_.clear();
    if (form_ == WireForm::binary) append(buffer_, binary_header);
}

void CopyWriter::begin_row(std::size_t columns, std::span<const std::byte> payload) {
    if (form_ == WireForm::binary) append_int16(buffer_, static_cast<std::int16_t>(columns));
    add(payload);
}

void CopyWriter::add(std::span<const std::byte> bytes) {
    if (held_ || bytes.size() < piece_bytes) {
        append(buffer_, bytes);
        return;
    }
    // A piece by itself: a huge value needs no copy of its own here.
    connection_.put_copy(buffer_);
    buffer_.clear();
    connection_.put_copy(bytes);
}

void CopyWriter::text_field(std::string_view text) {
    append(buffer_, text);
    buffer_.push_back(std::byte{'\t'});
}

void CopyWriter::history_fields(const HistoryFields& f) {
    const std::string_view operation = name_of(f.operation);
    if (form_ == WireForm::text) {
        LiteralBuffer literal;
        text_field(timestamp_text(f.valid_from, literal));
        text_field(f.open ? "\\N" : timestamp_text(f.valid_to, literal));
        text_field(f.open ? "t" : "f");
        text_field(operation);
        text_field(lsn_text(f.lsn_from, literal));
        text_field(f.open ? "\\N" : lsn_text(f.lsn_to, literal));
        text_field(fmt::format_int(f.change_seq).c_str());
        return;
    }
    // Put together here, for growing the buffer field by field costs more than the fields.
    constexpr std::size_t fields_bytes_max = 96;
    std::byte fields[fields_bytes_max];
    std::byte* to = fields;
    const auto eight = [&](auto value) {
        to = put_int32(to, sizeof(std::int64_t));
        to = put_integer(to, static_cast<std::int64_t>(value));
    };
    eight(f.valid_from.microseconds);
    if (f.open) {
        to = put_int32(to, -1);
    } else {
        eight(f.valid_to.microseconds);
    }
    to = put_int32(to, 1);
    *to++ = std::byte{f.open};
    to = put_int32(to, static_cast<std::int32_t>(operation.size()));
    to = std::copy_n(reinterpret_cast<const std::byte*>(operation.data()), operation.size(), to);
    eight(f.lsn_from.value);
    if (f.open) {
        to = put_int32(to, -1);
    } else {
        eight(f.lsn_to.value);
    }
    eight(f.change_seq);
    append(buffer_, std::span<const std::byte>{fields, to});
}

void CopyWriter::null_field() {
    append_null_field(buffer_, form_);
}

void CopyWriter::bytea_field(std::span<const std::byte> value) {
    if (form_ == WireForm::binary) {
        append_int32(buffer_, static_cast<std::int32_t>(value.size()));
        append(buffer_, value);
        return;
    }
    std::string hex = "\\\\x";  // The backslash is COPY's own escape too.
    for (const auto b : value) hex += fmt::format("{:02x}", std::to_integer<unsigned>(b));
    text_field(hex);
}

void CopyWriter::int32_field(std::int32_t value) {
    if (form_ == WireForm::binary) {
        append_int32(buffer_, sizeof value);
        append_int32(buffer_, value);
        return;
    }
    text_field(fmt::format_int(value).c_str());
}

void CopyWriter::neutral_field(std::span<const std::byte> neutral) {
    if (form_ == WireForm::binary) {
        add(neutral);
        return;
    }
    if (read_int32(neutral.data()) < 0) {
        null_field();
        return;
    }
    append_escaped(buffer_, neutral.subspan(sizeof(std::int32_t)));
    buffer_.push_back(std::byte{'\t'});
}

void CopyWriter::end_row() {
    if (form_ == WireForm::text) buffer_.back() = std::byte{'\n'};  // In place of the last tab.
    if (held_ || buffer_.size() < piece_bytes) return;
    connection_.put_copy(buffer_);
    buffer_.clear();
}

std::uint64_t CopyWriter::end() {
    if (form_ == WireForm::binary) append_int16(buffer_, -1);
    if (!buffer_.empty()) connection_.put_copy(buffer_);
    buffer_.clear();
    return connection_.end_copy_in();
}

}  // namespace pgchronicle::history_writer::pg
