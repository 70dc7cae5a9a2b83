#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pgoutput/tuple.hpp"

#include <span>

namespace pgchronicle::history_writer {

/// Appends one value as int32 length (-1 for NULL) and raw bytes: the neutral form of keys.
void append_neutral(Bytes& out, const pgoutput::Value& value);

/// Appends the value in a form that is equal for equal keys: the neutral form, with what the
/// type's equality does not look at taken away (display scale, sign of zero, padding blanks).
void append_canonical(Bytes& out, const pgoutput::Value& value, KeyEquality equality);

}  // namespace pgchronicle::history_writer
