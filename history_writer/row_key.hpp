#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pgoutput/tuple.hpp"

#include <span>

namespace pgchronicle::history_writer {

/// Appends one value as int32 length (-1 for NULL) and raw bytes: the neutral form of keys.
void append_neutral(Bytes& out, const pgoutput::Value& value);
/// The neutral value at the front of `rest`, which moves past it.
inline std::span<const std::byte> take_neutral(std::span<const std::byte>& rest) {
    const auto length = read_int32(rest.data());
    const auto size = sizeof(std::int32_t) + (length < 0 ? 0 : static_cast<std::size_t>(length));
    const auto field = rest.first(size);
    rest = rest.subspan(size);
    return field;
}

/// Appends the value in a form that is equal for equal keys: the neutral form, with what the
/// type's equality does not look at taken away (display scale, sign of zero, padding blanks).
void append_canonical(Bytes& out, const pgoutput::Value& value, KeyEquality equality);

}  // namespace pgchronicle::history_writer
