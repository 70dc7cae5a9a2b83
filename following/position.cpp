#include "following/position.hpp"

#include <charconv>

namespace pgchronicle::following {
namespace {

/// All of `text` as a number of at most `largest`.
std::optional<std::uint64_t> parse_count(std::string_view text, std::uint64_t largest) {
    std::uint64_t value = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (errc != std::errc{} || end != text.data() + text.size() || value > largest) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

std::optional<Position> parse_position(std::string_view text) {
    if (text == "beginning") return Position::beginning();
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto second = text.find('/', slash + 1);
    const auto lsn = pgoutput::parse_lsn(text.substr(0, second));
    if (!lsn) return std::nullopt;
    if (second == std::string_view::npos) return Position::after(*lsn);
    const auto rest = text.substr(second + 1);
    const auto plus = rest.find('+');
    const auto seq = parse_count(rest.substr(0, plus), Position::seq_max);
    if (!seq) return std::nullopt;
    if (plus == std::string_view::npos) return Position{*lsn, *seq, Position::all};
    const auto nth = parse_count(rest.substr(plus + 1), Position::all - 1);
    if (!nth) return std::nullopt;
    return Position{*lsn, *seq, *nth};
}

std::string to_string(const Position& position) {
    if (position == Position::beginning()) return "beginning";
    auto text = pgoutput::to_string(position.lsn);
    if (position == Position::after(position.lsn)) return text;
    text += '/' + std::to_string(position.seq);
    if (position.nth != Position::all) text += '+' + std::to_string(position.nth);
    return text;
}

}  // namespace pgchronicle::following
