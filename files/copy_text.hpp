#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// PostgreSQL's text form of COPY: a line for each row, fields apart by tabs.
// Source: sql-copy, "Text Format".

namespace pgchronicle::files {

/// Appends a value as a field, escaped; nothing: NULL.
void append_copy_field(std::string& out, std::optional<std::string_view> value);

/// The fields of one line, as a server writes it; with or without its end.
[[nodiscard]] std::vector<std::optional<std::string>> copy_fields(std::string_view line);

}  // namespace pgchronicle::files
