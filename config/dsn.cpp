#include "config/dsn.hpp"

#include "config/suggest.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace pgchronicle::config {

namespace {

/// The keywords of libpq 18 that may stand in a connection string of ours. An older libpq names
/// the ones it does not know when it connects.
const std::vector<std::string>& known_keywords() {
    static const std::vector<std::string> keywords{
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "dbname",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "host",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "oauth_client_id",
        "oauth_issuer",
        "oauth_scope",
        "options",
        "passfile",
        "password",
        "port",
        "require_auth",
        "requirepeer",
        "service",
        "servicefile",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslkeylogfile",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
        "user"};
    return keywords;
}

constexpr std::array<std::string_view, 4> other_secrets{
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key"};

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/// What is wrong with a keyword, if anything.
std::optional<DsnError> refuse_keyword(std::string_view keyword) {
    if (std::find(other_secrets.begin(), other_secrets.end(), keyword) != other_secrets.end()) {
        return DsnError{
            "connection string holds a secret other than the password",
            "Put " + std::string{keyword} + " into a service file and name the service."};
    }
    if (keyword == "replication") {
        return DsnError{
            "connection string must not hold \"replication\"",
            "pgchronicle opens ordinary and replication connections and sets it itself."};
    }
    const auto& known = known_keywords();
    if (std::find(known.begin(), known.end(), keyword) != known.end()) return std::nullopt;
    // The word itself stays unsaid: it may be the second half of an unquoted password.
    const auto guess = nearest(keyword, known);
    return DsnError{
        "connection string holds an unknown keyword",
        guess ? "Did you mean \"" + *guess + "\"?"
              : "Quote values that hold spaces: password='two words'."};
}

/// Reads the keyword form. `position` moves; errors end the reading.
class KeywordReader {
public:
    explicit KeywordReader(std::string_view text) : text_{text} {}

    std::variant<DsnParts, DsnError> read() {
        DsnParts parts;
        while (skip_spaces(), !at_end()) {
            const auto start = position_;
            const auto keyword = read_keyword();
            skip_spaces();
            if (at_end() || text_[position_] != '=') {
                return DsnError{
                    "connection string lacks \"=\" after a keyword",
                    "Write keyword=value pairs or a URI, and quote values that hold spaces."};
            }
            ++position_;
            skip_spaces();
            auto value = read_value();
            if (!value) return DsnError{"connection string has a quote that is not closed", {}};
            if (auto refused = refuse_keyword(keyword)) return *std::move(refused);
            if (keyword == "password") {
                parts.password = Secret{*std::move(value)};  // As in libpq, the last one counts.
            } else {
                // A closing quote may stand directly before the next keyword.
                if (!parts.dsn.empty()) parts.dsn += ' ';
                parts.dsn += text_.substr(start, value_end_ - start);
            }
        }
        return parts;
    }

private:
    [[nodiscard]] bool at_end() const { return position_ >= text_.size(); }

    void skip_spaces() {
        while (!at_end() && is_space(text_[position_])) ++position_;
    }

    std::string_view read_keyword() {
        const auto start = position_;
        while (!at_end() && text_[position_] != '=' && !is_space(text_[position_])) ++position_;
        return text_.substr(start, position_ - start);
    }

    std::optional<std::string> read_value() {
        std::string value;
        const bool quoted = !at_end() && text_[position_] == '\'';
        if (quoted) ++position_;
        while (true) {
            if (at_end()) break;
            const char c = text_[position_];
            if (quoted ? c == '\'' : is_space(c)) break;
            ++position_;
            if (c != '\\') {
                value += c;
            } else if (!at_end()) {
                value += text_[position_++];
            }
        }
        if (quoted && at_end()) return std::nullopt;
        if (quoted) ++position_;
        value_end_ = position_;
        return value;
    }

    std::string_view text_;
    std::size_t position_{0};
    std::size_t value_end_{0};
};

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Undoes %XX; nothing when that is malformed or hides a zero byte.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] != '%') {
            decoded += text[index];
            continue;
        }
        if (index + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[index + 1]);
        const int low = hex_digit(text[index + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
        decoded += static_cast<char>(high * 16 + low);
        index += 2;
    }
    return decoded;
}

DsnError malformed_uri(const std::string& what) {
    return {
        "connection URI " + what,
        "Percent-encode special characters of user and password: %40 for @, %2F for /, %3A for :, "
        "%3F for ?, %25 for %."};
}

/// True when every `host:port` of the list has a port of digits only, or none.
bool has_plain_ports(std::string_view hosts) {
    while (!hosts.empty()) {
        const auto comma = hosts.find(',');
        auto host = hosts.substr(0, comma);
        hosts.remove_prefix(comma == std::string_view::npos ? hosts.size() : comma + 1);
        if (host.starts_with('[')) {
            const auto bracket = host.find(']');
            if (bracket == std::string_view::npos) return false;
            host.remove_prefix(bracket + 1);
            if (!host.empty() && host.front() != ':') return false;
        }
        const auto colon = host.find(':');
        if (colon == std::string_view::npos) continue;
        if (host.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) return false;
    }
    return true;
}

/// Takes the parameters after `?` apart and keeps all but the password.
std::optional<DsnError> split_parameters(std::string_view query, DsnParts& parts) {
    char separator = '?';
    while (!query.empty()) {
        const auto ampersand = query.find('&');
        const auto parameter = query.substr(0, ampersand);
        query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
        const auto equals = parameter.find('=');
        if (equals == std::string_view::npos ||
            parameter.find('=', equals + 1) != std::string_view::npos) {
            return malformed_uri("has a parameter that is not keyword=value");
        }
        const auto keyword = percent_decoded(parameter.substr(0, equals));
        auto value = percent_decoded(parameter.substr(equals + 1));
        if (!keyword || !value) return malformed_uri("has a malformed percent sign");
        const bool is_jdbc_ssl = *keyword == "ssl" && *value == "true";
        if (auto refused = refuse_keyword(*keyword); refused && !is_jdbc_ssl) return refused;
        if (*keyword == "password") {
            parts.password = Secret{*std::move(value)};
        } else {
            parts.dsn += separator;
            parts.dsn += parameter;
            separator = '&';
        }
    }
    return std::nullopt;
}

/// Reads the URI form; `scheme` is `postgresql://` or `postgres://`, `rest` what follows it.
std::variant<DsnParts, DsnError> split_uri(std::string_view scheme, std::string_view rest) {
    DsnParts parts{std::string{scheme}, std::nullopt};
    // As libpq does it: user and password end at the first @, if that comes before any /.
    if (const auto at = rest.find_first_of("@/"); at != std::string_view::npos && rest[at] == '@') {
        const auto colon = std::min(at, rest.find(':'));
        const auto user = rest.substr(0, colon);
        if (user.find_first_of("?=&") != std::string_view::npos) {
            return malformed_uri("has an @ in the wrong place");
        }
        if (!percent_decoded(user)) return malformed_uri("has a malformed percent sign");
        // To libpq an empty password is none here.
        if (colon + 1 < at) {
            auto password = percent_decoded(rest.substr(colon + 1, at - colon - 1));
            if (!password) return malformed_uri("has a malformed percent sign");
            parts.password = Secret{*std::move(password)};
        }
        parts.dsn += user;
        parts.dsn += '@';
        rest.remove_prefix(at + 1);
    }
    const auto question = rest.find('?');
    const auto place = rest.substr(0, question);
    const auto query = question == std::string_view::npos ? "" : rest.substr(question + 1);
    // What libpq would take for a host or a database may be the tail of a password here.
    if (place.find('@') != std::string_view::npos) {
        return malformed_uri("has an @ in the wrong place");
    }
    if (!has_plain_ports(place.substr(0, place.find('/')))) {
        return malformed_uri("has a port that is not a number");
    }
    if (!percent_decoded(place)) return malformed_uri("has a malformed percent sign");
    parts.dsn += place;
    if (auto error = split_parameters(query, parts)) return *std::move(error);
    return parts;
}

}  // namespace

std::variant<DsnParts, DsnError> split_dsn(std::string_view dsn) {
    for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
        if (dsn.starts_with(scheme)) return split_uri(scheme, dsn.substr(scheme.size()));
    }
    return KeywordReader{dsn}.read();
}

std::string redacted(std::string_view dsn) {
    auto split = split_dsn(dsn);
    if (auto* const parts = std::get_if<DsnParts>(&split)) return std::move(parts->dsn);
    return Secret::masked();
}

}  // namespace pgchronicle::config
