#pragma once

#include "pgoutput/timestamp.hpp"
#include "pq/array_text.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// A text[] literal, every element quoted: {"a","b"}.
[[nodiscard]] inline std::string array_literal(const std::vector<std::string>& values) {
    return pq::array_text(values);
}

/// A JSON string with its quotes.
[[nodiscard]] std::string json_string(std::string_view text);

/// A timestamptz literal without quotes: 2026-11-21 11:55:29.123456+00.
[[nodiscard]] std::string timestamp_text(pgoutput::PgTimestamp time);

}  // namespace pgchronicle::history_writer::pg
