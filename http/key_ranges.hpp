#pragma once

#include "reading/rows.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::http {

/// A comparison of a column of the key with a value, cast to a type: >= '120'::bigint
struct KeyBound {
    std::string column;
    std::string comparison;
    std::string value;
    std::string type;

    friend bool operator==(const KeyBound&, const KeyBound&) = default;
};

/// All of it holds. Empty: every key.
using KeyRange = std::vector<KeyBound>;

/// Where keys whose text begins with `prefix` are, in the order of the key: what an index on it
/// serves. Numbers are in a range for each number of digits: 12, 120 to 129, 1200 to 1299, and so
/// on; texts and UUIDs from the prefix on; those of other types may be anywhere. Behind a
/// comma the next column begins. Not all that is in a range begins with the prefix.
[[nodiscard]] std::vector<KeyRange>
key_ranges(const std::vector<reading::Column>& key, std::string_view prefix);

}  // namespace pgchronicle::http
