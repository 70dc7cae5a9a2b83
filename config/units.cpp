#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

namespace pgchronicle::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// From small to large, so that formatting finds the largest that divides.
constexpr std::array<Unit, 5> duration_units{
    {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> size_units{
    {{"B", 1},
     {"KiB", 1ULL << 10U},
     {"MiB", 1ULL << 20U},
     {"GiB", 1ULL << 30U},
     {"TiB", 1ULL << 40U}}};

struct Quantity {
    std::uint64_t number{0};
    std::string_view unit;
};

/// Divides `50ms` or `50 ms` into number and unit.
std::optional<Quantity> split(std::string_view text) {
    Quantity quantity;
    const auto* const end = text.data() + text.size();
    const auto [rest, errc] = std::from_chars(text.data(), end, quantity.number);
    if (errc != std::errc{}) return std::nullopt;
    quantity.unit = text.substr(static_cast<std::size_t>(rest - text.data()));
    if (!quantity.unit.empty() && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
    return quantity;
}

std::optional<std::uint64_t>
scale(const Quantity& quantity, std::span<const Unit> units, std::uint64_t largest) {
    for (const auto& unit : units) {
        if (unit.name != quantity.unit) continue;
        if (quantity.number > largest / unit.factor) return std::nullopt;
        return quantity.number * unit.factor;
    }
    return std::nullopt;
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
    auto best = units.front();
    for (const auto& unit : units) {
        if (value != 0 && value % unit.factor == 0) best = unit;
    }
    return std::to_string(value / best.factor) + std::string{best.name};
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    using std::chrono::milliseconds;
    const auto quantity = split(text);
    if (!quantity) return std::nullopt;
    if (quantity->number == 0 && quantity->unit.empty()) return milliseconds{0};
    constexpr auto largest =
        static_cast<std::uint64_t>(std::numeric_limits<milliseconds::rep>::max());
    const auto count = scale(*quantity, duration_units, largest);
    if (!count) return std::nullopt;
    return milliseconds{static_cast<milliseconds::rep>(*count)};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    auto quantity = split(text);
    if (!quantity) return std::nullopt;
    if (quantity->unit.empty() && text.back() != ' ') quantity->unit = "B";
    return scale(*quantity, size_units, std::numeric_limits<std::uint64_t>::max());
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
    std::uint64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, errc] = std::from_chars(text.data(), end, number);
    if (errc != std::errc{} || rest != end) return std::nullopt;
    return number;
}

std::string format_duration(std::chrono::milliseconds duration) {
    return format(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::string format_size(std::uint64_t bytes) {
    return format(bytes, size_units);
}

}  // namespace pgchronicle::config
