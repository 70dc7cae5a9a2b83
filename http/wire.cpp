#include "http/wire.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace pgchronicle::http::wire {

std::vector<Header> headers_of(const Answer& answer) {
    std::vector<Header> headers{
        {"Server", "pgchronicle"},
        {"Date", http_date(std::time(nullptr))},
        // Nothing but what we serve ourselves, and nobody shows it inside of a page of theirs.
        {"Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-cache"},
        {"Vary", "Accept-Encoding, Origin"}};
    if (!answer.body.empty()) headers.push_back({"Content-Type", answer.type});
    if (answer.gzipped) headers.push_back({"Content-Encoding", "gzip"});
    if (!answer.tag.empty()) headers.push_back({"ETag", answer.tag});
    headers.insert(headers.end(), answer.headers.begin(), answer.headers.end());
    return headers;
}

std::vector<Header>
cors_headers(const std::vector<std::string>& allowed, const std::string& origin, bool preflight) {
    const bool every = std::ranges::find(allowed, "*") != allowed.end();
    if (origin.empty() || (!every && std::ranges::find(allowed, origin) == allowed.end())) {
        return {};
    }
    std::vector<Header> headers{
        {"Access-Control-Allow-Origin", every ? "*" : origin},
        {"Access-Control-Expose-Headers", "ETag, X-Pgchronicle-LSN, X-Pgchronicle-Final"}};
    if (preflight) {
        headers.push_back({"Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"});
        headers.push_back({"Access-Control-Allow-Headers", "If-None-Match, Last-Event-ID"});
        headers.push_back({"Access-Control-Max-Age", "600"});
    }
    return headers;
}

std::string http_date(std::int64_t unix_seconds) {
    // By hand: strftime goes by the locale.
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    constexpr int first_year = 1900;
    const std::time_t time = unix_seconds;
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 64> text{};  // NOLINT
    const int length = std::snprintf(
        text.data(),
        text.size(),
        "%s, %02d %s %d %02d:%02d:%02d GMT",
        days.at(static_cast<std::size_t>(parts.tm_wday)),
        parts.tm_mday,
        months.at(static_cast<std::size_t>(parts.tm_mon)),
        parts.tm_year + first_year,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    );
    return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace pgchronicle::http::wire
