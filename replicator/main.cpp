// The composition root: command line, configuration, and which part runs.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "commands/check.hpp"
#include "config/load.hpp"
#include "log/log.hpp"
#include "replicator/io/life.hpp"
#include "replicator/io/service.hpp"

namespace {

using namespace pgchronicle;

constexpr int exit_done = 0;
constexpr int exit_usage = 2;

log::Level level_of(config::LogLevel level) {
    switch (level) {
    case config::LogLevel::trace: return log::Level::trace;
    case config::LogLevel::debug: return log::Level::debug;
    case config::LogLevel::info: return log::Level::info;
    case config::LogLevel::warn: return log::Level::warn;
    case config::LogLevel::error: return log::Level::error;
    }
    return log::Level::info;
}

log::Format format_of(config::LogFormat format) {
    return format == config::LogFormat::json ? log::Format::json : log::Format::text;
}

void warn(log::Logger& log, const config::Settings& settings) {
    for (const auto& warning : settings.warnings) {
        log.warn("configuration", {{"message", warning}});
    }
    if (settings.http_listen) {
        log.warn("configuration", {{"message", "http is not served by this version"}});
    }
}

struct RunArguments {
    std::string until_lsn;
    bool until_current{false};
};

int run(const std::string& file, const RunArguments& arguments) {
    // Before anything else: threads that come later inherit the blocked signals.
    replicator::io::Life life;
    const auto settings = config::load(file);
    const auto log = log::make_stderr_logger(level_of(settings.log.level), format_of(settings.log.format));
    warn(*log, settings);
    replicator::io::RunOptions options;
    options.until_current = arguments.until_current;
    if (!arguments.until_lsn.empty()) {
        options.until = pgoutput::parse_lsn(arguments.until_lsn);
        if (!options.until) {
            std::fprintf(
                stderr, "pgchronicle: error: invalid LSN \"%s\"\n", arguments.until_lsn.c_str()
            );
            return exit_usage;
        }
    }
    life.on_reload([&] {
        // What may change while running: the log level. Everything else takes a restart.
        try {
            const auto fresh = config::load(file);
            log->set_level(level_of(fresh.log.level));
            log->info("reloaded", {{"config", file}});
        } catch (const std::exception& error) {
            log->error("reload_failed", {{"message", error.what()}});
        }
    });
    replicator::io::Service service{settings, options, life, *log};
    const auto code = service.run();
    life.notify_stopping();
    return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"The history of every row of a PostgreSQL database, straight from its WAL."};
    app.set_version_flag("--version", std::string{"pgchronicle "} + PGCHRONICLE_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    std::string config_file;
    app.add_option(
        "--config,-c", config_file,
        "Configuration file (default ./pgchronicle.yaml, then /etc/pgchronicle/pgchronicle.yaml)"
    );

    RunArguments run_arguments;
    auto* run_app = app.add_subcommand("run", "Copy what is missing, then stream changes into history");
    auto* until_lsn = run_app->add_option(
        "--until-lsn", run_arguments.until_lsn, "Stop when everything up to this LSN is stored"
    );
    run_app->add_flag(
        "--until-current", run_arguments.until_current, "Stop when everything written so far is stored"
    )->excludes(until_lsn);
    auto* check_app = app.add_subcommand("check", "Find what would stop or surprise run");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    try {
        const auto given = config_file.empty() ? std::nullopt : std::optional{config_file};
        const auto file = config::find_config_file(given);
        if (run_app->parsed()) return run(file, run_arguments);
        if (check_app->parsed()) return commands::check(config::load(file), {}, std::cout);
    } catch (const config::ConfigError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return exit_usage;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pgchronicle: error: %s\n", error.what());
        return exit_usage;
    }
    return exit_usage;
}
