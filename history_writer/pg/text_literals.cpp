#include "history_writer/pg/text_literals.hpp"

#include <fmt/format.h>

#include <chrono>

namespace pgchronicle::history_writer::pg {

std::string json_string(std::string_view text) {
    constexpr unsigned char first_printable = 0x20;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < first_printable) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string timestamp_text(pgoutput::PgTimestamp time) {
    LiteralBuffer buffer;
    return std::string{timestamp_text(time, buffer)};
}

std::string_view timestamp_text(pgoutput::PgTimestamp time, LiteralBuffer& out) {
    using std::chrono::microseconds;
    const std::chrono::sys_time<microseconds> at{
        microseconds{time.microseconds} + std::chrono::seconds{pgoutput::unix_to_pg_epoch_seconds}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss<microseconds> clock{at - day};
    const auto end = fmt::format_to_n(
        out.data(),
        out.size(),
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        clock.hours().count(),
        clock.minutes().count(),
        clock.seconds().count(),
        clock.subseconds().count()
    );
    return {out.data(), end.size};
}

std::string_view lsn_text(pgoutput::Lsn lsn, LiteralBuffer& out) {
    constexpr unsigned half = 32;
    const auto low = static_cast<std::uint32_t>(lsn.value);
    const auto end = fmt::format_to_n(out.data(), out.size(), "{:X}/{:X}", lsn.value >> half, low);
    return {out.data(), end.size};
}

}  // namespace pgchronicle::history_writer::pg
