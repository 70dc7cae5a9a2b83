#pragma once

#include "commands/watch.hpp"

#include <CLI/CLI.hpp>

#include <functional>

namespace pgchronicle::commands {

/// Adds the command and its options to the command line. `options` is filled when it is parsed, and
/// must live until then; `takes_config` adds what every command takes.
void add_watch(
    CLI::App& app,
    WatchOptions& options,
    const std::function<void(CLI::App&)>& takes_config
);

}  // namespace pgchronicle::commands
