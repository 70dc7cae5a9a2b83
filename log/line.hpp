#pragma once

#include "log/log.hpp"

#include <span>
#include <string>
#include <string_view>

namespace pgchronicle::log {

/// The text form after the timestamp: `info  stream_started slot=cdc_pgoutput start_lsn=0/15A2B30`.
///
/// A value is quoted when it is empty or holds a space, a quote, a backslash, `=` or anything that
/// is not printable. Control characters, line separators and bytes that are not UTF-8 are escaped,
/// so that one event is one line, whatever its values hold.
void append_text(
    std::string& out,
    Level level,
    std::string_view event,
    std::span<const Field> fields
);

/// The JSON form after the time: `"level":"info","event":"stopped","rows":5}`.
///
/// Always valid JSON in UTF-8: a byte that is not UTF-8 becomes U+FFFD.
void append_json(
    std::string& out,
    Level level,
    std::string_view event,
    std::span<const Field> fields
);

}  // namespace pgchronicle::log
