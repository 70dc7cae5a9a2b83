#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

// The text form of one-dimensional text[] values, without NULL elements.
// Source: manual, "Array Input and Output Syntax".

namespace pgchronicle::pq {

/// {"a","b\"c"}: for a bound parameter that the statement casts to text[], oid[], ...
[[nodiscard]] std::string array_text(std::span<const std::string> items);

/// The elements of an array as the server prints it; none for an empty text (NULL).
/// Total: text in any other form gives the elements that can be made out.
[[nodiscard]] std::vector<std::string> parse_array_text(std::string_view text);

}  // namespace pgchronicle::pq
