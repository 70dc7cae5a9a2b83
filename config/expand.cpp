#include "config/expand.hpp"

#include "config/read_file.hpp"

#include <algorithm>
#include <cstdlib>

namespace pgchronicle::config {

namespace {

/// A password longer than this is some other file, named by mistake.
constexpr std::size_t secret_bytes_max = 4096;

bool is_variable_name(std::string_view text) {
    const auto is_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return is_letter(c) || is_digit(c);
           });
}

}  // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        // Called before any thread exists, and nothing here changes the environment.
        const char* const value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value == nullptr) return std::nullopt;
        return std::string{value};
    };
}

Expansion expand(std::string_view text, const Environment& environment) {
    Expansion expansion;
    while (!text.empty()) {
        const auto dollar = text.find('$');
        expansion.text += text.substr(0, dollar);
        if (dollar == std::string_view::npos) break;
        text.remove_prefix(dollar);
        if (text.starts_with("$$")) {
            expansion.text += '$';
            text.remove_prefix(2);
            continue;
        }
        if (!text.starts_with("${")) {
            expansion.text += '$';
            text.remove_prefix(1);
            continue;
        }
        const auto brace = text.find('}');
        const auto name = text.substr(2, brace == std::string_view::npos ? brace : brace - 2);
        expansion.has_variable = true;
        if (brace == std::string_view::npos || !is_variable_name(name)) {
            expansion.malformed = true;
            break;
        }
        if (const auto value = environment(std::string{name})) {
            expansion.text += *value;
        } else {
            expansion.unset.emplace_back(name);
        }
        text.remove_prefix(brace + 1);
    }
    return expansion;
}

SecretFile read_secret_file(const std::string& file) {
    auto content = read_file(file, secret_bytes_max);
    if (!content.error.empty()) return {{}, content.error};
    auto& secret = content.text;
    if (secret.ends_with('\n')) secret.pop_back();
    if (secret.ends_with('\r')) secret.pop_back();
    if (secret.empty()) return {{}, "the file is empty"};
    if (secret.find('\0') != std::string::npos) return {{}, "the file holds a zero byte"};
    return {std::move(secret), {}};
}

}  // namespace pgchronicle::config
