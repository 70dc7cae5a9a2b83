#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::config {

/// Looks an environment variable up; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
[[nodiscard]] Environment process_environment();

/// What became of a text with ${VAR} in it.
struct Expansion {
    std::string text;
    std::vector<std::string> unset;  ///< Variables that are not set, in order.
    bool malformed{false};           ///< A ${ without }, or with something that is no name in it.
    bool has_variable{false};        ///< Part of the text came, or was to come, from outside.
};

/// Replaces each `${NAME}` by that variable and each `$$` by one dollar; any other dollar stays.
///
/// What a variable holds is not expanded again.
[[nodiscard]] Expansion expand(std::string_view text, const Environment& environment);

/// The content of a file that holds a secret, without the newline that editors add at the end.
///
/// Errors: `error` says why the file cannot be used and then `secret` is empty.
struct SecretFile {
    std::string secret;
    std::string error;
};
[[nodiscard]] SecretFile read_secret_file(const std::string& file);

}  // namespace pgchronicle::config
