#include "pq/conninfo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>

namespace pgchronicle::pq {
namespace {

/// What makes values leave as they are and statements mean what they say, whatever the database's
/// and the role's defaults. The time-outs are ours to decide; a policy must fail, not hide
/// rows; warnings must arrive.
using Setting = std::pair<const char*, const char*>;
constexpr std::array pinned{
    Setting{"search_path", ""},
    Setting{"datestyle", "ISO,MDY"},
    Setting{"intervalstyle", "postgres"},
    Setting{"timezone", "UTC"},
    Setting{"extra_float_digits", "3"},
    Setting{"bytea_output", "hex"},
    Setting{"lc_monetary", "C"},
    Setting{"array_nulls", "on"},
    Setting{"quote_all_identifiers", "off"},
    Setting{"standard_conforming_strings", "on"},
    Setting{"default_transaction_isolation", "read committed"},
    Setting{"row_security", "off"},
    Setting{"client_min_messages", "notice"},
    Setting{"statement_timeout", "0"},
    Setting{"lock_timeout", "0"},
    Setting{"idle_in_transaction_session_timeout", "0"},
    Setting{"idle_session_timeout", "0"},
};

/// Keepalive probes until a silent peer is given up: idle + count * interval is the whole time.
constexpr int keepalive_probes = 2;

/// Empty when it is not set. Nothing here changes the environment, so that reading it is safe.
std::string environment(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
}

[[noreturn]] void refuse(std::string primary, std::string detail, std::string hint) {
    throw Error{
        {.primary = std::move(primary), .detail = std::move(detail), .hint = std::move(hint)}};
}

/// Whether some part of the DSN could be a password, rightly written or not.
bool may_hold_password(std::string_view dsn) {
    std::string lower{dsn};
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return lower.find("pass") != std::string::npos || lower.find("://") != std::string::npos;
}

/// An unescaped '@' or '/' in a URI's password ends it early: libpq would then take the rest for
/// a host or a database name and repeat it in errors.
void check_uri(std::string_view dsn) {
    const auto scheme = dsn.find("://");
    if (scheme == std::string_view::npos || dsn.find('=') < scheme) return;
    const std::string_view rest = dsn.substr(scheme + 3);
    const auto at = rest.find('@');
    if (at == std::string_view::npos) return;
    const auto parameters = rest.find('?', std::min(at, rest.find('/')));
    const bool again = rest.substr(0, parameters).find('@', at + 1) != std::string_view::npos;
    if (!again && (rest.find('/') > at || parameters < at)) return;
    refuse(
        R"(invalid connection URI: "@" or "/" stands where it cannot)",
        {},
        "Percent-encode special characters of the user name and password, or give the password "
        "outside the URI."
    );
}

struct FreeOptions {
    void operator()(PQconninfoOption* raw) const { PQconninfoFree(raw); }
};

Keywords parse_dsn(const std::string& dsn) {
    check_uri(dsn);
    char* text = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> parsed{
        PQconninfoParse(dsn.c_str(), &text)};
    const std::unique_ptr<char, void (*)(void*)> owned_text{text, PQfreemem};
    if (!parsed) {
        const bool silent = text == nullptr || may_hold_password(dsn);
        std::string detail = silent ? "" : parse_error_message(text).primary + ".";
        refuse(
            "invalid connection string",
            std::move(detail),
            "It is a list of keyword=value or a postgresql:// URI."
        );
    }
    Keywords keywords;
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) keywords.emplace_back(option->keyword, option->val);
    }
    const std::string port = value_of(keywords, "port");
    if (port.find_first_not_of("0123456789,") != std::string::npos) {
        refuse("invalid connection string: the port is not a number", {}, {});
    }
    return keywords;
}

void set(Keywords& keywords, std::string_view keyword, std::string value) {
    std::erase_if(keywords, [&](const auto& pair) { return pair.first == keyword; });
    keywords.emplace_back(keyword, std::move(value));
}

void set_default(Keywords& keywords, std::string_view keyword, std::string value) {
    if (value_of(keywords, keyword).empty()) keywords.emplace_back(keyword, std::move(value));
}

/// " -c name=value", with what would end the word escaped.
void append_setting(std::string& out, std::string_view name, std::string_view value) {
    out += fmt::format(" -c {}=", name);
    for (const char c : value) {
        if (c == '\\' || std::isspace(static_cast<unsigned char>(c)) != 0) out += '\\';
        out += c;
    }
}

std::string start_up_options(const Keywords& dsn, const ConnectOptions& options) {
    std::string text = value_of(dsn, "options");
    if (text.empty()) {
        text = environment("PGOPTIONS");
    }
    for (const auto& [name, value] : pinned) append_setting(text, name, value);
    for (const auto& [name, value] : options.settings) append_setting(text, name, value);
    return text;
}

void set_time_limits(Keywords& keywords, const ConnectOptions& options) {
    using std::chrono::ceil;
    using std::chrono::seconds;
    const auto connect = std::max(seconds{1}, ceil<seconds>(options.connect_timeout));
    set_default(keywords, "connect_timeout", std::to_string(connect.count()));
    const auto idle = std::max<std::int64_t>(
        1, ceil<seconds>(options.tcp_user_timeout).count() / (keepalive_probes + 1)
    );
    set_default(keywords, "tcp_user_timeout", std::to_string(options.tcp_user_timeout.count()));
    set_default(keywords, "keepalives", "1");
    set_default(keywords, "keepalives_idle", std::to_string(idle));
    set_default(keywords, "keepalives_interval", std::to_string(idle));
    set_default(keywords, "keepalives_count", std::to_string(keepalive_probes));
}

std::vector<std::string> split_list(const std::string& list) {
    std::vector<std::string> items;
    if (list.empty()) return items;
    std::size_t begin = 0;
    for (auto comma = list.find(','); comma != std::string::npos; comma = list.find(',', begin)) {
        items.push_back(list.substr(begin, comma - begin));
        begin = comma + 1;
    }
    items.push_back(list.substr(begin));
    return items;
}

/// One set of keywords per host of `keywords`. Lists that do not fit together are left for libpq to
/// refuse.
std::vector<Keywords> split_hosts(const Keywords& keywords) {
    const auto hosts = split_list(value_of(keywords, "host"));
    const auto addresses = split_list(value_of(keywords, "hostaddr"));
    const auto ports = split_list(value_of(keywords, "port"));
    const std::size_t count = std::max(hosts.size(), addresses.size());
    const auto fits = [&](const auto& list, bool one_for_all) {
        return list.empty() || list.size() == count || (one_for_all && list.size() == 1);
    };
    if (count < 2 || !fits(hosts, false) || !fits(addresses, false) || !fits(ports, true)) {
        return {keywords};
    }
    std::vector<Keywords> result;
    for (std::size_t i = 0; i < count; ++i) {
        Keywords one = keywords;
        if (!hosts.empty()) set(one, "host", hosts[i]);
        if (!addresses.empty()) set(one, "hostaddr", addresses[i]);
        if (!ports.empty()) set(one, "port", ports[ports.size() == 1 ? 0 : i]);
        result.push_back(std::move(one));
    }
    return result;
}

bool is_sqlstate(std::string_view text) {
    return text.size() == 5 && std::ranges::all_of(text, [](unsigned char c) {
               return std::isdigit(c) != 0 || std::isupper(c) != 0;
           });
}

/// Takes "FATAL:  28P01: reason" apart, where the line has that form.
void take_sqlstate(Error::Fields& fields) {
    std::string& line = fields.primary;
    for (auto at = line.find(":  "); at != std::string::npos; at = line.find(":  ", at + 1)) {
        const auto code = at + 3;
        if (line.size() < code + 7 || line.compare(code + 5, 2, ": ") != 0) continue;
        if (!is_sqlstate(std::string_view{line}.substr(code, 5))) continue;
        fields.sqlstate = line.substr(code, 5);
        line.erase(code, 7);
        // "ERROR:  reason" alone needs no severity; "connection to ... failed: FATAL:  reason"
        // does.
        if (line.find(' ') == at + 1) line.erase(0, code);
        return;
    }
}

void append(std::string& text, std::string_view separator, std::string_view more) {
    if (!text.empty()) text += separator;
    text += more;
}

std::string printable(std::string_view text) {
    std::string clean{text};
    std::ranges::replace_if(
        clean,
        [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; },
        '?'
    );
    return clean;
}

/// Splits libpq's text into its messages: one per address that was tried, and one more for what
/// the server said before it hung up.
std::vector<Error::Fields> split_messages(std::string_view text) {
    std::vector<Error::Fields> blocks;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        const auto begin = line.find_first_not_of("\t ");
        if (begin == std::string_view::npos) continue;
        if (blocks.empty()) blocks.emplace_back();
        if (line.starts_with("DETAIL:  ")) {
            blocks.back().detail = line.substr(9);
        } else if (line.starts_with("HINT:  ")) {
            blocks.back().hint = line.substr(7);
        } else if (line.starts_with("CONTEXT:  ")) {
            blocks.back().context = line.substr(10);
        } else if (begin > 0 || line.starts_with("Either ")) {
            // libpq's own advice: indented, or what to do about a missing root certificate.
            append(blocks.back().hint, " ", line.substr(begin));
        } else if (!line.starts_with("LOCATION:  ")) {
            if (!blocks.back().primary.empty()) blocks.emplace_back();
            blocks.back().primary = line;
            take_sqlstate(blocks.back());
        }
    }
    return blocks;
}

}  // namespace

std::string value_of(const Keywords& keywords, std::string_view keyword) {
    const auto found = std::ranges::find(keywords, keyword, &Keywords::value_type::first);
    return found == keywords.end() ? std::string{} : found->second;
}

std::vector<Keywords> attempts(const ConnectOptions& options) {
    Keywords keywords = parse_dsn(options.dsn);
    set(keywords, "options", start_up_options(keywords, options));
    set(keywords, "client_encoding", "UTF8");
    if (!options.application_name.empty())
        set(keywords, "application_name", options.application_name);
    set_default(keywords, "fallback_application_name", "pgchronicle");
    if (!options.password.empty()) set(keywords, "password", options.password);
    if (options.replication) set(keywords, "replication", "database");
    if (environment("PGGSSENCMODE").empty()) set_default(keywords, "gssencmode", "disable");
    set_time_limits(keywords, options);

    if (value_of(keywords, "target_session_attrs") != "prefer-standby")
        return split_hosts(keywords);
    // With one host at a time, libpq's preference is ours to carry out: standbys first, then any.
    set(keywords, "target_session_attrs", "standby");
    std::vector<Keywords> result = split_hosts(keywords);
    set(keywords, "target_session_attrs", "any");
    std::ranges::move(split_hosts(keywords), std::back_inserter(result));
    return result;
}

bool needs_other_configuration(std::string_view primary) {
    // Words of libpq 14 to 18 and, in lower case behind "SSL error:", of OpenSSL.
    constexpr std::array words{
        "certificate verify failed",
        "root certificate",
        "server certificate for",
        "from server certificate",
        "server does not support SSL",
        "channel binding",
        "authentication method",
        "private key file",
        "certificate file",
        "alert certificate",
        "alert bad certificate",
        "alert unknown ca",
        "alert handshake failure",
        "alert protocol version",
        "unsupported protocol",
        "weak sslmode",
        "invalid sslmode value",
        "invalid channel_binding value",
        "invalid require_auth value",
    };
    return std::ranges::any_of(words, [&](std::string_view word) {
        return primary.find(word) != std::string_view::npos;
    });
}

Error::Fields parse_error_message(std::string_view text) {
    auto blocks = split_messages(printable(text));
    if (blocks.empty())
        return {.primary = "connection failed for a reason that libpq does not tell"};
    auto best =
        std::ranges::find_if(blocks, [](const auto& block) { return !block.sqlstate.empty(); });
    if (best == blocks.end()) best = blocks.end() - 1;
    Error::Fields fields = *best;
    if (fields.primary.empty()) fields.primary = "the server gives no reason";
    for (auto block = blocks.begin(); block != blocks.end(); ++block) {
        if (block != best && block->primary.starts_with("connection to ")) {
            append(fields.detail, " ", "Also, " + block->primary + ".");
        }
    }
    return fields;
}

}  // namespace pgchronicle::pq
