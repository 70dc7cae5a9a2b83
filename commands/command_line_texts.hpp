#pragma once

#include <CLI/CLI.hpp>

#include <string>

// What is told of the command line elsewhere than in --help, from the same definitions.

namespace pgchronicle::commands {

/// A script that makes `shell` (bash, zsh or fish) complete commands, options and the words that an
/// option takes; files elsewhere.
[[nodiscard]] std::string completion_text(const CLI::App& app, const std::string& shell);

/// The manual page of section 1, for man.
/// Source: man(7), groff_man.
[[nodiscard]] std::string manual_page(const CLI::App& app);

}  // namespace pgchronicle::commands
