#include "commands/timeline_history.hpp"

#include <algorithm>
#include <charconv>

namespace pgchronicle::commands {
namespace {

constexpr std::string_view blanks = " \t";

/// Takes the next word off `line`; empty when none is left.
std::string_view next_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const auto word = line.substr(0, line.find_first_of(blanks));
    line.remove_prefix(word.size());
    return word;
}

std::optional<TimelineEnd> parse_line(std::string_view line) {
    const auto number = next_word(line);
    TimelineEnd ancestor;
    const auto [end, errc] =
        std::from_chars(number.data(), number.data() + number.size(), ancestor.timeline);
    if (number.empty() || errc != std::errc{} || end != number.data() + number.size()) {
        return std::nullopt;
    }
    const auto left_at = pgoutput::parse_lsn(next_word(line));
    if (!left_at) return std::nullopt;
    ancestor.end = *left_at;
    return ancestor;
}

}  // namespace

std::vector<TimelineEnd> parse_timeline_history(std::string_view content) {
    std::vector<TimelineEnd> ancestors;
    while (!content.empty()) {
        const auto line = content.substr(0, content.find('\n'));
        content.remove_prefix(std::min(line.size() + 1, content.size()));
        if (const auto ancestor = parse_line(line)) ancestors.push_back(*ancestor);
    }
    return ancestors;
}

std::optional<pgoutput::Lsn>
shared_until(std::span<const TimelineEnd> ancestors, std::uint32_t then) {
    const auto found = std::ranges::find(ancestors, then, &TimelineEnd::timeline);
    if (found == ancestors.end()) return std::nullopt;
    return found->end;
}

}  // namespace pgchronicle::commands
