#pragma once

#include "config/error.hpp"
#include "config/expand.hpp"
#include "config/settings.hpp"

#include <optional>
#include <string>

namespace pgchronicle::config {

/// Reads a configuration file; what is returned has passed `validate`.
///
/// Variables come from `environment`, passwords from there or from files; nothing is left to be
/// read later. `Settings::warnings` holds what is allowed but unwise.
/// Errors: throws ConfigError with every problem found, in the order of the file. Nothing in it,
/// and nothing in the settings but `Secret`, holds a password.
[[nodiscard]] Settings
load(const std::string& file, const Environment& environment = process_environment());

/// The same for a text in memory; `file` is the name that messages use.
[[nodiscard]] Settings
parse(const std::string& text, const std::string& file, const Environment& environment);

/// The file that `--config` names, else the first of `./pgchronicle.yaml` and
/// `/etc/pgchronicle/pgchronicle.yaml` that exists.
///
/// Errors: throws ConfigError when none was named and neither exists.
[[nodiscard]] std::string find_config_file(const std::optional<std::string>& given);

}  // namespace pgchronicle::config
