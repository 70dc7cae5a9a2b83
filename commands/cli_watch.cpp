#include "commands/cli_watch.hpp"

#include "following/follower.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace pgchronicle::commands {
namespace {

/// A shell's variable that is not set must not become "none".
const CLI::Validator not_empty{
    [](const std::string& text) { return text.empty() ? "an empty value" : std::string{}; },
    "",
    "not empty"};

}  // namespace

void add_watch(
    CLI::App& app,
    WatchOptions& options,
    const std::function<void(CLI::App&)>& takes_config
) {
    auto* watch = app.add_subcommand("watch", "Follow new versions as lines of JSON, in order");
    takes_config(*watch);
    watch->add_option(
        "--table", options.tables, "schema.table or table, with * and ?; may be repeated"
    );
    watch->add_option("--op", options.operations, "Only these operations; may be repeated")
        ->transform(CLI::IsMember(
            std::vector<std::string>{following::operations.begin(), following::operations.end()},
            CLI::ignore_case
        ));
    watch->add_option(
        "--from",
        options.from,
        "Begin after it: LSN, LSN/SEQ, or \"beginning\" (default: what comes from now on)"
    );
    watch->add_flag("--snapshot", options.snapshot, "Also the rows that were copied");
    watch
        ->add_option(
            "--cursor",
            options.cursor,
            "Keep the position in the target under this name, and resume"
        )
        ->check(not_empty);
    auto* program = watch->add_option(
        "--exec", options.program, "Run this for each change, with its JSON on standard input"
    );
    program->check(not_empty);
    watch->add_option("--jobs", options.jobs, "Programs at a time, for different rows (default 1)")
        ->needs(program)
        ->check(CLI::Range(1U, 256U));
    watch->add_flag(
        "--until-current", options.until_current, "Stop when all that is there has been seen"
    );
}

}  // namespace pgchronicle::commands
