#include "http/key_ranges.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace pgchronicle::http {

namespace {

using Key = std::span<const reading::Column>;

constexpr std::uint32_t bpchar_oid = 1042;
constexpr std::string_view digits = "0123456789";

enum class Kind : std::uint8_t { integer, numeric, text, uuid, other };

Kind kind_of(const reading::Column& column) {
    // As pg_type has them in every version.
    switch (column.type_oid) {
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
        return Kind::integer;
    case 1700:
        return Kind::numeric;
    case 25:  // text
    case bpchar_oid:
    case 1043:  // varchar
        return Kind::text;
    case 2950:
        return Kind::uuid;
    default:
        return Kind::other;
    }
}

const char* text_type(const reading::Column& column) {
    return column.type_oid == bpchar_oid ? "bpchar" : "text";
}

/// As PostgreSQL writes it: no sign but -, no zeros in front.
std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (errc != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (std::to_string(number) != text) return std::nullopt;
    return number;
}

/// 12, 120 to 129, ...; -12, -129 to -120, ...
std::vector<KeyRange> ranges_of_integers(const std::string& column, std::string_view prefix) {
    const auto bound = [&](const char* comparison, std::int64_t value) {
        return KeyBound{column, comparison, std::to_string(value), "bigint"};
    };
    if (prefix == "-") return {{bound("<", 0)}};
    const auto number = whole_number(prefix);
    if (!number) return {};
    if (*number == 0) return {{bound("=", 0)}};
    const bool negative = *number < 0;
    using Limits = std::numeric_limits<std::int64_t>;
    constexpr std::int64_t ten = 10;
    std::vector<KeyRange> ranges;
    std::int64_t first = *number;  // The one nearest to zero.
    std::int64_t others = 0;       // How many more there are with as many digits.
    for (;;) {
        if (negative) {
            const auto last = first < Limits::min() + others ? Limits::min() : first - others;
            ranges.push_back({bound(">=", last), bound("<=", first)});
        } else {
            const auto last = first > Limits::max() - others ? Limits::max() : first + others;
            ranges.push_back({bound(">=", first), bound("<=", last)});
        }
        if (first > Limits::max() / ten || first < Limits::min() / ten) return ranges;
        first *= ten;
        others = others * ten + (ten - 1);
    }
}

/// As of the integers, with all that is between them: 12 up to 13, 120 up to 130, ...
std::vector<KeyRange> ranges_of_numerics(const std::string& column, std::string_view prefix) {
    const bool negative = prefix.starts_with('-');
    const auto digits_only = prefix.substr(negative ? 1 : 0);
    const auto point = digits_only.find('.');
    const auto whole = digits_only.substr(0, point);
    const auto bound = [&](const char* comparison, std::string value) {
        if (negative) value.insert(value.begin(), '-');
        return KeyBound{column, comparison, std::move(value), "numeric"};
    };
    if (negative && digits_only.empty()) return {{bound("<=", "0")}};
    const auto number = whole_number(whole);
    if (!number || *number < 0 || *number == std::numeric_limits<std::int64_t>::max()) return {};
    const bool is_one = point != digits_only.npos || *number == 0;
    // A numeric may be longer, but keys are not.
    constexpr std::size_t digits_max = 40;
    std::vector<KeyRange> ranges;
    for (std::string zeros; whole.size() + zeros.size() <= digits_max; zeros += '0') {
        ranges.push_back(
            {bound(negative ? "<=" : ">=", std::string{whole} + zeros),
             bound(negative ? ">" : "<", std::to_string(*number + 1) + zeros)}
        );
        if (is_one) break;
    }
    return ranges;
}

/// What is missing of a UUID is zeros, the least.
std::vector<KeyRange> range_of_uuids(const std::string& column, std::string_view prefix) {
    constexpr std::string_view least = "00000000-0000-0000-0000-000000000000";
    if (prefix.size() > least.size()) return {};
    std::string value{prefix};
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool hyphen = least[i] == '-';
        const bool hex =
            digits.find(value[i]) != digits.npos || (value[i] >= 'a' && value[i] <= 'f');
        if (hyphen ? value[i] != '-' : !hex) return {};
    }
    value += least.substr(prefix.size());
    return {{KeyBound{column, ">=", value, "uuid"}}};
}

/// Where the first column is exactly `value`.
std::optional<KeyBound> exactly(const reading::Column& column, std::string_view value) {
    const auto same = [&](const char* type) {
        return KeyBound{column.name, "=", std::string{value}, type};
    };
    switch (kind_of(column)) {
    case Kind::integer:
        if (!whole_number(value)) return std::nullopt;
        return same("bigint");
    case Kind::text:
        return same(text_type(column));
    case Kind::numeric:
        if (!whole_number(value)) return std::nullopt;
        return same("numeric");
    case Kind::uuid:
        // Nothing was filled up: it is all there.
        if (const auto range = range_of_uuids(column.name, value);
            range.empty() || range[0][0].value != value) {
            return std::nullopt;
        }
        return same("uuid");
    case Kind::other:
        break;
    }
    return std::nullopt;
}

std::vector<KeyRange> ranges(Key key, std::string_view prefix) {
    const auto& column = key.front();
    const auto kind = kind_of(column);
    if (prefix.empty() || kind == Kind::other) return {{}};
    std::vector<KeyRange> found;
    const auto comma = prefix.find(',');
    if (comma != prefix.npos && key.size() > 1) {
        if (const auto bound = exactly(column, prefix.substr(0, comma))) {
            for (auto& range : ranges(key.subspan(1), prefix.substr(comma + 1))) {
                range.insert(range.begin(), *bound);
                found.push_back(std::move(range));
            }
        }
    }
    std::vector<KeyRange> of_first;
    if (kind == Kind::integer) of_first = ranges_of_integers(column.name, prefix);
    if (kind == Kind::numeric) of_first = ranges_of_numerics(column.name, prefix);
    if (kind == Kind::uuid) of_first = range_of_uuids(column.name, prefix);
    // A comma may also be one of the text's own. A longer text is never less than its beginning,
    // whatever the collation.
    if (kind == Kind::text) {
        of_first = {{KeyBound{column.name, ">=", std::string{prefix}, text_type(column)}}};
    }
    found.insert(found.end(), of_first.begin(), of_first.end());
    return found;
}

}  // namespace

std::vector<KeyRange> key_ranges(const std::vector<reading::Column>& key, std::string_view prefix) {
    if (key.empty()) return {};
    return ranges(key, prefix);
}

}  // namespace pgchronicle::http
