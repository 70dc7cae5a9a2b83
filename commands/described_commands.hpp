#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace pgchronicle::commands {

/// An option of a command, or a word in its place.
struct DescribedOption {
    std::vector<std::string> names;  ///< --config, -c; empty: positional.
    std::string value;               ///< What it is called: FORMAT; empty: a flag.
    std::vector<std::string> words;  ///< The only values, where they are known.
    std::string description;
    bool required{false};
    bool repeated{false};
};

/// A command as `--help` describes it.
struct DescribedCommand {
    std::string path;  ///< pgchronicle repair skip
    std::string name;
    std::string description;
    std::vector<DescribedOption> options;
    std::vector<DescribedCommand> commands;
};

/// The app as one called `path`, with all commands below it.
[[nodiscard]] DescribedCommand describe(const CLI::App& app, const std::string& path);

}  // namespace pgchronicle::commands
