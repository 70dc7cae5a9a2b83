#include "config/dsn.hpp"
#include "tests/fuzz/fuzz_checks.hpp"

#include <algorithm>
#include <cstdint>
#include <libpq-fe.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// A connection string of any bytes: what is left after the password was taken out means to libpq
// what the whole meant, without the password.

namespace {

using namespace pgchronicle;
using test::require;

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Meaning = std::map<std::string, std::string>;

/// What libpq reads in it; nothing when it refuses.
std::optional<Meaning> meaning_of(const std::string& dsn) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> options{
        PQconninfoParse(dsn.c_str(), nullptr)};
    if (options == nullptr) return std::nullopt;
    Meaning meaning;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) meaning[option->keyword] = option->val;
    }
    return meaning;
}

bool is_plain_line(const std::string& text) {
    return std::ranges::none_of(text, [](char c) { return c >= 0 && c < ' '; });
}

void check_error(const config::DsnError& error) {
    require(!error.message.empty(), "an error says what is wrong");
    require(is_plain_line(error.message), "an error is one line");
    require(is_plain_line(error.hint), "a hint is one line");
    // They never quote the string: neither is longer than our own words can be.
    require(error.message.size() + error.hint.size() < 300, "an error has our words only");
}

void check_parts(const std::string& dsn, const config::DsnParts& parts) {
    require(config::redacted(dsn) == parts.dsn, "what is logged is what is left");
    const auto before = meaning_of(dsn);
    const auto after = meaning_of(parts.dsn);
    if (!before) {
        // It may know fewer keywords than we do. What it refuses stays refused.
        require(!after, "what libpq refuses does not become valid");
        return;
    }
    require(after.has_value(), "what libpq reads stays readable");
    auto wanted = *before;
    const auto password = wanted.find("password");
    require(
        (password != wanted.end()) == parts.password.has_value(), "a password is seen as libpq does"
    );
    if (password != wanted.end()) {
        require(password->second == parts.password->reveal(), "the password is libpq's");
        wanted.erase(password);
    }
    require(*after == wanted, "all but the password stays");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string dsn(data, data + size);
    // The configuration has refused it already; to libpq it would be the end.
    if (dsn.find('\0') != std::string::npos) return 0;
    const auto split = config::split_dsn(dsn);
    if (const auto* const error = std::get_if<config::DsnError>(&split)) {
        check_error(*error);
        require(config::redacted(dsn) == "***", "what cannot be read is not repeated");
    } else {
        check_parts(dsn, std::get<config::DsnParts>(split));
    }
    return 0;
}
