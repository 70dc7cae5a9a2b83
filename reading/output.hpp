#pragma once

#include "reading/rows.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How values are written for others to read. Text only.

namespace pgchronicle::reading {

enum class Format : std::uint8_t { table, csv, json };

/// "table", "csv" or "json"; nothing for any other text.
[[nodiscard]] std::optional<Format> parse_format(std::string_view text);

/// Whether values of the type are numbers: integers, numeric, floating point, oid.
[[nodiscard]] bool is_number(std::uint32_t type_oid);

/// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// A value as its type suggests: numbers and booleans bare, json and jsonb as they are (on one
/// line), NULL null; NaN, infinities and everything else are strings.
void append_json_value(
    std::string& out,
    std::uint32_t type_oid,
    std::optional<std::string_view> value
);

/// An object with a member for each column, in order.
void append_json_object(
    std::string& out,
    const std::vector<Column>& columns,
    const std::vector<Value>& row
);

/// A field of RFC 4180: NULL is empty, an empty text is "", and quotes stand only where needed.
void append_csv_field(std::string& out, std::optional<std::string_view> value);

/// A line with its end, CRLF.
void append_csv_line(std::string& out, const std::vector<Value>& row);

/// A compact array of objects, without a line's end.
[[nodiscard]] std::string to_json(const Rows& rows);

/// A line of names, then one for each row.
[[nodiscard]] std::string to_csv(const Rows& rows);

}  // namespace pgchronicle::reading
