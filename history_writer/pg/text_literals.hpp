#pragma once

#include "pgoutput/ids.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/timestamp.hpp"
#include "pq/array_text.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// A text[] literal, every element quoted: {"a","b"}.
[[nodiscard]] inline std::string array_literal(const std::vector<std::string>& values) {
    return pq::array_text(values);
}

[[nodiscard]] inline std::string oid_text(pgoutput::RelationId relation) {
    return std::to_string(static_cast<std::uint32_t>(relation));
}

/// A JSON string with its quotes.
[[nodiscard]] std::string json_string(std::string_view text);

/// A timestamptz literal without quotes: 2026-11-21 11:55:29.123456+00.
[[nodiscard]] std::string timestamp_text(pgoutput::PgTimestamp time);

/// The same and an LSN's, written into `out` without asking for memory.
using LiteralBuffer = std::array<char, 40>;
std::string_view timestamp_text(pgoutput::PgTimestamp time, LiteralBuffer& out);
std::string_view lsn_text(pgoutput::Lsn lsn, LiteralBuffer& out);

}  // namespace pgchronicle::history_writer::pg
