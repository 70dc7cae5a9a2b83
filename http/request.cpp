#include "http/request.hpp"

#include "http/refusal.hpp"
#include "log/printable.hpp"

#include <algorithm>
#include <charconv>

namespace pgchronicle::http {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// No controls, and UTF-8 throughout: what PostgreSQL takes as text, and a log as one line.
bool is_clean(std::string_view text) {
    constexpr std::uint32_t first_printable = 0x20;
    constexpr std::uint32_t del = 0x7f;
    while (!text.empty()) {
        const auto character = log::front_character(text);
        if (!character.valid) return false;
        if (character.code_point < first_printable || character.code_point == del) return false;
        text.remove_prefix(character.length_bytes);
    }
    return true;
}

std::string decoded(std::string_view text, bool plus_is_space) {
    auto result = percent_decode(text, plus_is_space);
    if (!result) throw bad_request("invalid escape in the request's target");
    if (!is_clean(*result)) {
        throw bad_request(
            "invalid character in the request's target", "It holds a control, or is not UTF-8."
        );
    }
    return *std::move(result);
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Calls `use` with each item of a list that commas separate.
template <typename Use>
void for_each_item(std::string_view list, Use use) {
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        use(trim(list.substr(0, comma)));
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
}

bool is_zero_weight(std::string_view parameters) {
    const auto at = parameters.find("q=");
    if (at == std::string_view::npos) return false;
    const auto weight = trim(parameters.substr(at + 2));
    return !weight.empty() && weight.find_first_not_of("0.") == std::string_view::npos;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> items;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto item = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (item.empty()) continue;
        const auto equals = std::min(item.find('='), item.size());
        const auto value = equals < item.size() ? item.substr(equals + 1) : std::string_view{};
        items.emplace_back(decoded(item.substr(0, equals), true), decoded(value, true));
    }
    return items;
}

/// What proxies are sent, and servers have to take: http://host/path becomes /path. Whose name it
/// is, the header Host says. Source: RFC 9112, section 3.2.2.
std::string_view without_authority(std::string_view text) {
    constexpr std::string_view scheme = "http://";
    const auto is_same = [](char one, char other) {
        return (one >= 'A' && one <= 'Z' ? one - 'A' + 'a' : one) == other;
    };
    if (!std::ranges::equal(text.substr(0, scheme.size()), scheme, is_same)) return text;
    const auto end = text.find_first_of("/?", scheme.size());
    if (end == std::string_view::npos) return "/";
    return text[end] == '/' ? text.substr(end) : std::string_view{};
}

constexpr std::string_view token_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr unsigned byte_bits = 8;
constexpr unsigned digit_bits = 6;
constexpr unsigned digit_mask = 63;

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '+' && plus_is_space) {
            result += ' ';
        } else if (text[at] != '%') {
            result += text[at];
        } else {
            if (at + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[at + 1]);
            const int low = hex_digit(text[at + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            result += static_cast<char>(high * 16 + low);
            at += 2;
        }
    }
    return result;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') ||
                           std::string_view{"-._~"}.find(c) != std::string_view::npos;
        if (plain) {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += '%';
        result += digits[byte / 16];
        result += digits[byte % 16];
    }
    return result;
}

Target parse_target(std::string_view text) {
    if (text.size() > target_bytes_max) {
        throw Refusal{
            {414,
             "target_too_long",
             "the request's target is too long",
             "It may have " + std::to_string(target_bytes_max) + " bytes.",
             {},
             {}}};
    }
    text = without_authority(text);
    if (text.empty() || text.front() != '/') {
        throw bad_request("the request's target is not a path");
    }
    const auto mark = std::min(text.find('?'), text.size());
    Target target;
    auto path = text.substr(1, mark - 1);
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        auto segment = decoded(path.substr(0, end), false);
        if (segment == "." || segment == "..") {
            throw bad_request("the request's path leads nowhere", "It has a segment of dots.");
        }
        target.path.push_back(std::move(segment));
        // "/a/" is not "/a": an empty segment follows.
        if (end + 1 == path.size()) target.path.emplace_back();
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    if (mark < text.size()) target.query = Query{parse_query(text.substr(mark + 1))};
    return target;
}

std::optional<std::string> Query::one(std::string_view name) const {
    std::optional<std::string> found;
    for (const auto& [key, value] : items_) {
        if (key != name) continue;
        if (found) throw bad_request("parameter \"" + key + "\" is given twice");
        found = value;
    }
    return found;
}

std::vector<std::string> Query::all(std::string_view name) const {
    std::vector<std::string> found;
    for (const auto& [key, value] : items_) {
        if (key == name) found.push_back(value);
    }
    return found;
}

std::uint64_t Query::number(
    std::string_view name,
    std::uint64_t fallback,
    std::uint64_t least,
    std::uint64_t most
) const {
    const auto text = one(name);
    if (!text) return fallback;
    std::uint64_t value = 0;
    const auto* const end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || value < least || value > most) {
        throw bad_request(
            "invalid value \"" + *text + "\" for parameter \"" + std::string{name} + "\"",
            "It is a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                "."
        );
    }
    return value;
}

void Query::only(std::initializer_list<std::string_view> names) const {
    only(std::vector<std::string>{names.begin(), names.end()});
}

void Query::only(const std::vector<std::string>& names) const {
    for (const auto& item : items_) {
        if (std::ranges::find(names, item.first) != names.end()) continue;
        std::string known;
        for (const auto& name : names) known += (known.empty() ? "" : ", ") + name;
        throw bad_request(
            "unknown parameter \"" + item.first + "\"",
            known.empty() ? "There are none." : "Known are: " + known + "."
        );
    }
}

Query Query::without(std::string_view name) const {
    auto items = items_;
    std::erase_if(items, [&](const auto& item) { return item.first == name; });
    return Query{std::move(items)};
}

std::string to_token(std::string_view bytes) {
    std::string token;
    unsigned pending = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        pending = (pending << byte_bits) | static_cast<unsigned char>(c);
        bits += byte_bits;
        while (bits >= digit_bits) {
            bits -= digit_bits;
            token += token_digits[(pending >> bits) & digit_mask];
        }
        pending &= (1U << bits) - 1U;
    }
    if (bits > 0) token += token_digits[(pending << (digit_bits - bits)) & digit_mask];
    return token;
}

std::optional<std::string> from_token(std::string_view token) {
    std::string bytes;
    unsigned pending = 0;
    unsigned bits = 0;
    for (const char c : token) {
        const auto digit = token_digits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        pending = (pending << digit_bits) | static_cast<unsigned>(digit);
        bits += digit_bits;
        if (bits >= byte_bits) {
            bits -= byte_bits;
            bytes += static_cast<char>((pending >> bits) & 0xffU);
            pending &= (1U << bits) - 1U;
        }
    }
    if (bits >= digit_bits || pending != 0) return std::nullopt;
    return bytes;
}

bool accepts_gzip(std::string_view accept_encoding) {
    bool any = false;
    std::optional<bool> named;
    for_each_item(accept_encoding, [&](std::string_view item) {
        const auto semicolon = std::min(item.find(';'), item.size());
        const auto name = trim(item.substr(0, semicolon));
        const bool wanted = !is_zero_weight(item.substr(semicolon));
        if (name == "gzip" || name == "x-gzip") named = wanted;
        if (name == "*") any = wanted;
    });
    return named.value_or(any);
}

bool names_tag(std::string_view if_none_match, std::string_view tag) {
    bool found = false;
    for_each_item(if_none_match, [&](std::string_view item) {
        if (item.starts_with("W/")) item.remove_prefix(2);
        found = found || item == tag || item == "*";
    });
    return found;
}

}  // namespace pgchronicle::http
