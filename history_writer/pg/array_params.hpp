#pragma once

#include "history_writer/wire_bytes.hpp"

#include <cstdint>
#include <span>

// One-dimensional arrays as parameters, in either form. Elements are given in neutral form: int32
// length (-1 for NULL) and raw bytes.

namespace pgchronicle::history_writer::pg {

/// Binary: header for `count` elements of `element_oid`; elements follow as they are.
void begin_binary_array(Bytes& out, std::uint32_t element_oid, std::size_t count);

/// Text: `{`, elements quoted and separated, then `}` and a NUL.
void append_text_element(Bytes& out, std::span<const std::byte> neutral);
void end_text_array(Bytes& out);

}  // namespace pgchronicle::history_writer::pg
