#include "pgoutput/lsn.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace pgchronicle::pgoutput {

namespace {

/// One half of an LSN: one to eight hexadecimal digits, nothing else.
std::optional<std::uint32_t> parse_half(std::string_view text) {
    constexpr std::size_t digits_max = 8;
    if (text.empty() || text.size() > digits_max) return std::nullopt;
    std::uint32_t half = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), half, 16);
    if (errc != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return half;
}

}  // namespace

std::string to_string(Lsn lsn) {
    std::array<char, 24> text{};
    std::snprintf(
        text.data(),
        text.size(),
        "%X/%X",
        static_cast<unsigned>(lsn.value >> 32U),
        static_cast<unsigned>(lsn.value & 0xFFFFFFFFU)
    );
    return text.data();
}

std::optional<Lsn> parse_lsn(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto high = parse_half(text.substr(0, slash));
    const auto low = parse_half(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return Lsn{(std::uint64_t{*high} << 32U) | *low};
}

}  // namespace pgchronicle::pgoutput
