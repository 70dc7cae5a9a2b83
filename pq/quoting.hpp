#pragma once

#include <string>
#include <string_view>

namespace pgchronicle::pq {

/// `name` as a quoted identifier, always with quotes: a"b becomes "a""b".
/// The only place where names enter SQL. Throws std::invalid_argument for NUL, an empty name or
/// invalid UTF-8.
[[nodiscard]] std::string quote_identifier(std::string_view name);

/// schema.name, both quoted.
[[nodiscard]] std::string quote_qualified(std::string_view schema, std::string_view name);

/// `value` as a literal: E'...' when it holds a backslash, else '...'. Same errors as above, but
/// an empty value is fine.
[[nodiscard]] std::string quote_literal(std::string_view value);

}  // namespace pgchronicle::pq
