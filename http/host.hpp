#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::http {

/// Whether a Host header names this service where only this host reaches it: an IP address,
/// "localhost", or one of `names`. Any other name is of a page that has its name lead here (DNS
/// rebinding), so that a browser lets it read.
[[nodiscard]] bool is_own_host(std::string_view host, const std::vector<std::string>& names);

}  // namespace pgchronicle::http
