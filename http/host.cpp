#include "http/host.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace pgchronicle::http {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view one, std::string_view other) {
    return std::ranges::equal(one, other, {}, lower, lower);
}

bool is_address(std::string_view text, bool v6) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string{text}, error);
    return !error && address.is_v6() == v6;
}

}  // namespace

bool is_own_host(std::string_view host, const std::vector<std::string>& names) {
    const auto colon = host.rfind(':');
    if (colon != std::string_view::npos &&
        host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos) {
        host = host.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) {
        return is_address(host.substr(1, host.size() - 2), true);
    }
    if (is_address(host, false) || same_name(host, "localhost")) return true;
    return std::ranges::any_of(names, [&](const auto& name) { return same_name(host, name); });
}

}  // namespace pgchronicle::http
