#pragma once

#include "config/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pgchronicle::config {

/// A libpq connection string divided into what may be logged and what may not.
struct DsnParts {
    std::string dsn;                 ///< Without the password, otherwise as it was written.
    std::optional<Secret> password;  ///< Decoded; nothing when the string held none.
};

/// Why a connection string cannot be used. Never quotes it, since any part may be a secret.
struct DsnError {
    std::string message;
    std::string hint;
};

/// Takes the password out of a connection string, in keyword (`host=a password=b`) or URI form.
///
/// Reads both forms exactly as libpq does, so that what is left means the same. Refused, though
/// libpq might take it: keywords that it does not know (a misspelt `pasword` would be logged),
/// secrets other than the password, `replication`, and a URI in which an unescaped `/`, `?` or `@`
/// of a password would be read as something else.
/// Source: libpq-connect, "Connection Strings".
[[nodiscard]] std::variant<DsnParts, DsnError> split_dsn(std::string_view dsn);

/// The connection string without its password, for messages; `***` where it cannot be read.
[[nodiscard]] std::string redacted(std::string_view dsn);

}  // namespace pgchronicle::config
