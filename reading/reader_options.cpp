#include "reading/reader_options.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace pgchronicle::reading {

namespace {

constexpr std::chrono::milliseconds connect_timeout_max{3'000};

}  // namespace

pq::ConnectOptions reader_options(const config::Settings& settings) {
    const auto& http = settings.http;
    const auto& connection = http.reader ? *http.reader : settings.target.connection;
    pq::ConnectOptions options;
    options.dsn = connection.dsn;
    options.password = connection.password.reveal();
    options.application_name = "pgchronicle http";
    options.connect_timeout = std::min(connection.connect_timeout, connect_timeout_max);
    options.tcp_user_timeout = connection.tcp_user_timeout;
    const auto timeout = std::to_string(http.statement_timeout.count());
    options.settings = {
        {"default_transaction_read_only", "on"},
        {"statement_timeout", timeout},
        {"lock_timeout", timeout},
        {"idle_in_transaction_session_timeout", "60000"}};
    if (!http.role.empty()) options.settings.emplace_back("role", http.role);
    return options;
}

}  // namespace pgchronicle::reading
