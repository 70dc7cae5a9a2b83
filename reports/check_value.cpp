#include "reports/check_value.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <stdexcept>

namespace pgchronicle::reports {
namespace {

/// Longer values are no names, words or numbers.
constexpr std::size_t value_bytes_max = 8192;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::size_t leading_digits(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

/// So many digits at the front, as a number; they are taken off.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    int number = 0;
    if (leading_digits(text.substr(0, digits)) != digits) return std::nullopt;
    std::from_chars(text.data(), text.data() + digits, number);
    text.remove_prefix(digits);
    return number;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

bool take_date(std::string_view& text) {
    const auto year = take_number(text, 4);
    if (!year || *year == 0 || !take(text, '-')) return false;
    const auto month = take_number(text, 2);
    if (!month || !take(text, '-')) return false;
    const auto day = take_number(text, 2);
    if (!day) return false;
    return std::chrono::year_month_day{
        std::chrono::year{*year},
        std::chrono::month{static_cast<unsigned>(*month)},
        std::chrono::day{static_cast<unsigned>(*day)}}
        .ok();
}

bool take_clock(std::string_view& text) {
    const auto hour = take_number(text, 2);
    if (!hour || *hour > 23 || !take(text, ':')) return false;
    const auto minute = take_number(text, 2);
    if (!minute || *minute > 59) return false;
    if (!take(text, ':')) return true;
    const auto second = take_number(text, 2);
    if (!second || *second > 59) return false;
    if (!take(text, '.')) return true;
    const auto digits = leading_digits(text);
    constexpr std::size_t fraction_digits_max = 9;
    text.remove_prefix(digits);
    return digits >= 1 && digits <= fraction_digits_max;
}

/// Nothing, Z, or an offset: +02, +02:00, -0330.
bool is_zone(std::string_view text) {
    if (text.empty() || text == "Z" || text == "z") return true;
    if (!take(text, '+') && !take(text, '-')) return false;
    const auto hours = take_number(text, 2);
    constexpr int offset_hours_max = 15;
    if (!hours || *hours > offset_hours_max) return false;
    if (text.empty()) return true;
    take(text, ':');
    const auto minutes = take_number(text, 2);
    return minutes && *minutes <= 59 && text.empty();
}

bool is_timestamp(std::string_view text) {
    if (!take_date(text)) return false;
    if (text.empty()) return true;
    if (!take(text, 'T') && !take(text, ' ')) return false;
    return take_clock(text) && is_zone(text);
}

bool is_decimal(std::string_view text) {
    take(text, '-');
    const auto whole = leading_digits(text);
    text.remove_prefix(whole);
    if (take(text, '.')) {
        const auto fraction = leading_digits(text);
        if (fraction == 0) return false;
        text.remove_prefix(fraction);
    }
    return whole != 0 && text.empty();
}

std::optional<std::string> fault_of_integer(const Parameter& parameter, std::string_view value) {
    std::int64_t number = 0;
    const auto [end, errc] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool whole = end == value.data() + value.size();
    if (errc == std::errc::result_out_of_range && whole) return "is out of range";
    if (errc != std::errc{} || !whole) return "is not an integer";
    const bool inside = (!parameter.min || number >= *parameter.min) &&
                        (!parameter.max || number <= *parameter.max);
    return inside ? std::nullopt : std::optional<std::string>{"is out of range"};
}

std::optional<std::string> fault_of_number(const Parameter& parameter, std::string_view value) {
    constexpr std::size_t digits_max = 100;
    if (value.size() > digits_max || !is_decimal(value)) return "is not a number";
    double number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    const bool inside = (!parameter.min || number >= static_cast<double>(*parameter.min)) &&
                        (!parameter.max || number <= static_cast<double>(*parameter.max));
    return inside ? std::nullopt : std::optional<std::string>{"is out of range"};
}

std::optional<std::string> fault_of_text(std::string_view value) {
    if (value.size() > value_bytes_max) return "is too long";
    try {
        static_cast<void>(pq::quote_literal(value));
    } catch (const std::invalid_argument&) {
        return "is not UTF-8 text";
    }
    return std::nullopt;
}

std::optional<std::string> fault_of_type(const Parameter& parameter, std::string_view value) {
    constexpr std::array<std::string_view, 2> booleans{"true", "false"};
    switch (parameter.type) {
    case ParameterType::text:
        return fault_of_text(value);
    case ParameterType::integer:
        return fault_of_integer(parameter, value);
    case ParameterType::number:
        return fault_of_number(parameter, value);
    case ParameterType::boolean:
        if (std::ranges::find(booleans, value) == booleans.end()) return "is not true or false";
        return std::nullopt;
    case ParameterType::date: {
        auto rest = value;
        if (!take_date(rest) || !rest.empty()) return "is not a date";
        return std::nullopt;
    }
    case ParameterType::timestamp:
        if (!is_timestamp(value)) return "is not a time";
        return std::nullopt;
    }
    return std::nullopt;
}

std::string range_text(const Parameter& parameter) {
    if (parameter.min && parameter.max) {
        return fmt::format(" from {} to {}", *parameter.min, *parameter.max);
    }
    if (parameter.min) return fmt::format(" of {} or more", *parameter.min);
    if (parameter.max) return fmt::format(" of {} or less", *parameter.max);
    return {};
}

}  // namespace

std::optional<std::string> fault_of(const Parameter& parameter, std::string_view value) {
    if (auto fault = fault_of_type(parameter, value)) return fault;
    const auto& allowed = parameter.allowed;
    if (!allowed.empty() && std::ranges::find(allowed, value) == allowed.end()) {
        return "is not allowed";
    }
    return std::nullopt;
}

std::string expectation(const Parameter& parameter) {
    if (!parameter.allowed.empty()) {
        std::string list;
        for (const auto& word : parameter.allowed) {
            list += (list.empty() ? "" : ", ") + (word.empty() ? "''" : word);
        }
        return fmt::format("It is one of {}.", list);
    }
    switch (parameter.type) {
    case ParameterType::text:
        return fmt::format("It is a text of at most {} bytes.", value_bytes_max);
    case ParameterType::integer:
        return fmt::format("It is an integer{}.", range_text(parameter));
    case ParameterType::number:
        return fmt::format("It is a number{}, such as 12.5.", range_text(parameter));
    case ParameterType::boolean:
        return "It is true or false.";
    case ParameterType::date:
        return "It is a date, such as 2026-11-21.";
    case ParameterType::timestamp:
        return "It is a time, such as 2026-11-21T11:55:29Z; UTC unless it says otherwise.";
    }
    return {};
}

}  // namespace pgchronicle::reports
