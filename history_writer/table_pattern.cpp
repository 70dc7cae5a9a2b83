#include "history_writer/table_pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace pgchronicle::history_writer {

namespace {

/// Bytes of the UTF-8 character at the front of `text`, which is not empty.
std::size_t front_character_bytes(std::string_view text) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
        ++length;
    }
    return length;
}

/// Matches the whole of `name`. Goes back to the last star only, so the time is at most the
/// product of both lengths, whatever the pattern.
bool matches_part(std::string_view pattern, std::string_view name) {
    bool has_star = false;
    std::string_view pattern_after_star;
    std::string_view name_at_star;
    while (!name.empty()) {
        if (!pattern.empty() && pattern.front() == '*') {
            has_star = true;
            pattern.remove_prefix(1);
            pattern_after_star = pattern;
            name_at_star = name;
        } else if (!pattern.empty() && pattern.front() == '?') {
            pattern.remove_prefix(1);
            name.remove_prefix(front_character_bytes(name));
        } else if (!pattern.empty() && pattern.front() == name.front()) {
            pattern.remove_prefix(1);
            name.remove_prefix(1);
        } else if (has_star) {
            // The last star takes one character more.
            name_at_star.remove_prefix(front_character_bytes(name_at_star));
            name = name_at_star;
            pattern = pattern_after_star;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*') == std::string_view::npos;
}

std::vector<TablePattern> parse_all(const std::vector<std::string>& texts) {
    std::vector<TablePattern> patterns;
    patterns.reserve(texts.size());
    for (const auto& text : texts) {
        auto pattern = TablePattern::parse(text);
        if (!pattern) {
            throw std::invalid_argument{"table pattern \"" + text + "\" is not schema.table"};
        }
        patterns.push_back(*std::move(pattern));
    }
    return patterns;
}

}  // namespace

std::optional<TablePattern> TablePattern::parse(std::string_view text) {
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return std::nullopt;
    return TablePattern{text.substr(0, dot), text.substr(dot + 1)};
}

bool TablePattern::matches(std::string_view schema, std::string_view table) const {
    return matches_part(schema_, schema) && matches_part(table_, table);
}

TableFilter::TableFilter(
    const std::vector<std::string>& include,
    const std::vector<std::string>& exclude
)
    : include_{parse_all(include)}, exclude_{parse_all(exclude)} {}

bool TableFilter::selects(std::string_view schema, std::string_view table) const {
    const auto matches = [&](const TablePattern& pattern) {
        return pattern.matches(schema, table);
    };
    return std::any_of(include_.begin(), include_.end(), matches) &&
           std::none_of(exclude_.begin(), exclude_.end(), matches);
}

}  // namespace pgchronicle::history_writer
