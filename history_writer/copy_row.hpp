#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pgoutput/tuple.hpp"

#include <span>

// The source columns of one row as COPY takes them. Binary: per column an int32 length (-1 for
// NULL) and the bytes. Text: per column its escaped text and a tab, which the columns that follow
// make into a separator.

namespace pgchronicle::history_writer {

/// Appends one value. Precondition: not unchanged TOAST.
void append_field(Bytes& out, const pgoutput::Value& value, WireForm form);

/// Appends all values of a row in binary form. Precondition: none is unchanged TOAST.
void append_binary_row(Bytes& out, std::span<const pgoutput::Value> values);

/// Appends a NULL.
void append_null_field(Bytes& out, WireForm form);

/// Appends `text` escaped for COPY's text form, without the tab.
void append_escaped(Bytes& out, std::span<const std::byte> text);

/// The bytes of field number `column` within `row`, its tab included.
[[nodiscard]] std::span<const std::byte>
field_of(std::span<const std::byte> row, std::size_t column, WireForm form);

}  // namespace pgchronicle::history_writer
