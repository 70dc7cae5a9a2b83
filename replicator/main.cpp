// The composition root: command line, configuration, and which part runs.

#include "commands/bookmark.hpp"
#include "commands/check.hpp"
#include "commands/cli_files.hpp"
#include "commands/cli_reading.hpp"
#include "commands/cli_watch.hpp"
#include "commands/init.hpp"
#include "commands/refusal.hpp"
#include "commands/repair_gap.hpp"
#include "commands/repair_release.hpp"
#include "commands/repair_skip.hpp"
#include "commands/repair_source.hpp"
#include "commands/replay.hpp"
#include "commands/verify.hpp"
#include "config/load.hpp"
#include "log/log.hpp"
#include "log/printable.hpp"
#include "replicator/io/life.hpp"
#include "replicator/io/service.hpp"
#include "replicator/serving.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

using namespace pgchronicle;

log::Level level_of(config::LogLevel level) {
    switch (level) {
    case config::LogLevel::trace:
        return log::Level::trace;
    case config::LogLevel::debug:
        return log::Level::debug;
    case config::LogLevel::info:
        return log::Level::info;
    case config::LogLevel::warn:
        return log::Level::warn;
    case config::LogLevel::error:
        return log::Level::error;
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
}

/// What clients that have asked are given to take their answers, at the end.
constexpr std::chrono::milliseconds drain_patience{3'000};

/// What the command line says, for all commands.
struct Arguments {
    std::string config_file;
    std::string until_lsn;
    bool until_current{false};
    commands::ReadingCommands reading;
    commands::FilesCommands files;
    commands::InitOptions init;
    commands::RepairSkipOptions skip;
    commands::VerifyOptions verify;
    std::string skip_to;
    std::string accept_reason;
    commands::RepairReseedOptions reseed;
    commands::RepairGapOptions accept_gap;
    commands::RepairReleaseOptions release;
    std::string bookmark;
    commands::BookmarkDropOptions bookmark_drop;
    commands::ReplayOptions replay;
    std::string replay_until;
    bool skip_yes{false};
    commands::WatchOptions watch;
};

std::optional<pgoutput::Lsn> lsn_of(const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto lsn = pgoutput::parse_lsn(text);
    if (!lsn) throw CLI::ValidationError{"invalid LSN \"" + text + "\"; it looks like 16/B374D848"};
    return lsn;
}

/// Copies and streams until told to stop, or until an error that does not pass. Once there is a
/// log, errors are said there, in its form, and nowhere else.
int run(const std::string& file, const Arguments& arguments) {
    // Before anything else: threads that come later inherit the blocked signals.
    replicator::io::Life life;
    const auto settings = config::load(file);
    const auto log =
        log::make_stderr_logger(level_of(settings.log.level), format_of(settings.log.format));
    warn(*log, settings);
    replicator::io::RunOptions options;
    options.until = lsn_of(arguments.until_lsn);
    options.until_current = arguments.until_current;
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
    std::optional<replicator::Serving> serving;
    if (settings.http.listen) {
        options.observer = serving.emplace(settings, *log, true).observer();
    }
    try {
        replicator::io::Service service{settings, options, life, *log};
        const auto code = service.run();
        life.notify_stopping();
        if (serving) serving->stop(drain_patience);
        return static_cast<int>(code);
    } catch (const std::exception& error) {
        log->error("error", {{"message", error.what()}});
        return commands::exit_needs_operator;
    }
}

/// Answers over HTTP, and writes nothing.
int serve(const config::Settings& settings) {
    replicator::io::Life life;
    const auto log =
        log::make_stderr_logger(level_of(settings.log.level), format_of(settings.log.format));
    warn(*log, settings);
    replicator::Serving serving{settings, *log, false};
    life.notify_ready();
    life.notify_status("serving");
    constexpr std::chrono::seconds beat{5};
    while (!life.sleep(beat)) life.beat(6 * beat);
    life.notify_stopping();
    serving.stop(drain_patience);
    log->info("stopped");
    return commands::exit_done;
}

/// Sets the history back, or copies it as it was, and streams until it is where it has to be.
int replay(const std::string& file, const Arguments& arguments) {
    replicator::io::Life life;
    auto settings = config::load(file);
    auto wanted = arguments.replay;
    wanted.until = lsn_of(arguments.replay_until);
    if (wanted.until && wanted.into.empty()) wanted.into = commands::schema_of_range(settings);
    const bool copies = !wanted.into.empty();
    const auto code = copies ? commands::begin_replay_into(settings, wanted, std::cout, std::cerr)
                             : commands::begin_replay(settings, wanted, std::cout, std::cerr);
    if (code) return *code;
    if (copies) settings = commands::settings_of_copy(settings, wanted.into);
    const auto log =
        log::make_stderr_logger(level_of(settings.log.level), format_of(settings.log.format));
    replicator::io::RunOptions options;
    options.replay_only = true;
    options.copies_tables = !copies;
    replicator::io::Service service{settings, options, life, *log};
    const auto ended = service.run();
    const bool stopped = life.stop_token().stop_requested();
    if (ended != replicator::io::ExitCode::done || !stopped) return static_cast<int>(ended);
    std::fputs(
        copies ? "pgchronicle: stopped before its end; the same command makes the copy anew\n"
               : "pgchronicle: stopped before its end; \"pgchronicle run\" finishes it\n",
        stderr
    );
    return commands::exit_try_again;
}

/// The commands and their options. Each is answered by the name of the one that was given.
struct CommandLine {
    CLI::App app{"The history of every row of a PostgreSQL database, straight from its WAL."};
    Arguments arguments;

    CommandLine() {
        app.set_version_flag("--version", std::string{"pgchronicle "} + PGCHRONICLE_VERSION);
        app.require_subcommand(1);
        app.fallthrough();
        takes_config(app);
        add_run();
        takes_config(*app.add_subcommand(
            "check", "Find what would stop or surprise run, and the SQL that mends it"
        ));
        add_init();
        arguments.reading.add_to(app, [&](CLI::App& command) { takes_config(command); });
        arguments.files.add_to(app, [&](CLI::App& command) { takes_config(command); });
        add_verify();
        add_bookmark();
        add_replay();
        add_repair();
        takes_config(*app.add_subcommand(
            "serve", "Answer over HTTP from the history, beside a run elsewhere; writes nothing"
        ));
        commands::add_watch(app, arguments.watch, [this](CLI::App& to) { takes_config(to); });
    }

private:
    /// Each command's help names the option; before the command's name it is taken, too.
    void takes_config(CLI::App& command) {
        command.add_option(
            "--config,-c",
            arguments.config_file,
            "Configuration file (default ./pgchronicle.yaml, then "
            "/etc/pgchronicle/pgchronicle.yaml)"
        );
    }

    void add_run() {
        auto* run =
            app.add_subcommand("run", "Copy what is missing, then stream changes into history");
        takes_config(*run);
        auto* until = run->add_option(
            "--until-lsn", arguments.until_lsn, "Stop when everything up to this LSN is stored"
        );
        run->add_flag(
               "--until-current",
               arguments.until_current,
               "Stop when everything written so far is stored"
        )
            ->excludes(until);
    }

    void add_verify() {
        auto* verify = app.add_subcommand(
            "verify", "Prove that history and source are equal at one LSN, while both go on"
        );
        takes_config(*verify);
        auto& options = arguments.verify;
        verify->add_option(
            "--table", options.tables, "schema.table or table, with * and ?; may be repeated"
        );
        auto* sample = verify->add_option(
            "--sample", options.sample, "Only so many rows of each table: 5% or a number"
        );
        verify->add_option("--seed", options.seed, "Which rows the sample is of (default: random)")
            ->needs(sample);
        verify
            ->add_option_function<unsigned>(
                "--timeout",
                [&](unsigned seconds) { options.timeout = std::chrono::seconds{seconds}; },
                "Seconds to wait for the snapshot, and for the history to reach it (default 60)"
            )
            ->check(CLI::Range(1U, 86'400U));
        verify->add_option(
            "--max-keys", options.keys_max, "Differences told one by one, per table (default 20)"
        );
        verify->add_flag("--json", options.json, "As one JSON object");
    }

    void add_init() {
        auto* init = app.add_subcommand("init", "Write a commented starting configuration");
        init->add_option("dsn", arguments.init.dsn, "libpq keywords or URI of the source")
            ->required();
        init->add_option("--target", arguments.init.target_dsn, "DSN of the target");
        init->add_option(
            "--output,-o", arguments.init.output, "File to write (default: standard output)"
        );
    }

    void add_bookmark() {
        auto* bookmark =
            app.add_subcommand("bookmark", "Keep positions from which history can be replayed");
        bookmark->require_subcommand(1);
        auto* add = bookmark->add_subcommand("add", "Keep the position that is stored now");
        takes_config(*add);
        add->add_option("name", arguments.bookmark, "What to call it")->required();
        takes_config(*bookmark->add_subcommand("list", "Each with the WAL that it keeps"));
        auto* drop = bookmark->add_subcommand("drop", "Let the source's WAL go");
        takes_config(*drop);
        drop->add_option("name", arguments.bookmark_drop.name, "Which one")->required();
        drop->add_option("--reason", arguments.bookmark_drop.reason, "Why, for the audit row");
    }

    void add_replay() {
        auto* replay =
            app.add_subcommand("replay", "Set the history back, and stream it again from there");
        takes_config(*replay);
        replay->add_option("--from", arguments.replay.from, "A bookmark's name, or an LSN")
            ->required();
        replay->add_option("--reason", arguments.replay.reason, "Why, for the audit row");
        replay->add_option(
            "--into",
            arguments.replay.into,
            "Schema of a copy, in place of setting the history itself back"
        );
        replay->add_option(
            "--until",
            arguments.replay_until,
            "Where the copy ends: an LSN. Without --into it goes into target.schema with _replay "
            "behind it"
        );
    }

    void add_repair() {
        auto* repair = app.add_subcommand("repair", "What an operator may decide");
        repair->require_subcommand(1);
        auto* skip =
            repair->add_subcommand("skip", "Pass changes that cannot be read; records the gap");
        takes_config(*skip);
        skip->add_option("--reason", arguments.skip.reason, "Why, for the audit row")->required();
        skip->add_option("--to", arguments.skip_to, "LSN to go on from (default: found by trial)");
        skip->add_flag("--yes,-y", arguments.skip_yes, "Do not ask, on a terminal either");
        auto* accept = repair->add_subcommand(
            "accept-source", "Take over a source that has another identity than the checkpoint's"
        );
        takes_config(*accept);
        accept->add_option("--reason", arguments.accept_reason, "Why, for the audit row")
            ->required();
        auto* reseed =
            repair->add_subcommand("reseed", "Have a table compared with the source once more");
        takes_config(*reseed);
        reseed->add_option("table", arguments.reseed.table, "schema.table of the source")
            ->required();
        reseed->add_option("--reason", arguments.reseed.reason, "Why, for the audit row")
            ->required();
        auto* gap = repair->add_subcommand("accept-gap", "Know of a gap: status is not red for it");
        takes_config(*gap);
        gap->add_option("id", arguments.accept_gap.ids, "Its number, or several; status tells them")
            ->required();
        gap->add_option("--reason", arguments.accept_gap.reason, "Why, for the audit row")
            ->required();
        auto* release = repair->add_subcommand(
            "release", "End the quarantine of a table; it is compared with the source"
        );
        takes_config(*release);
        release->add_option("table", arguments.release.table, "schema.table of the source")
            ->required();
        release->add_option("--reason", arguments.release.reason, "Why, for the audit row")
            ->required();
    }
};

int bookmark(
    const CLI::App& command,
    const config::Settings& settings,
    const Arguments& arguments
) {
    if (command.got_subcommand("add")) {
        return commands::bookmark_add(settings, arguments.bookmark, std::cout, std::cerr);
    }
    if (command.got_subcommand("list")) return commands::bookmark_list(settings, std::cout);
    return commands::bookmark_drop(settings, arguments.bookmark_drop, std::cout, std::cerr);
}

int repair(const CLI::App& command, const config::Settings& settings, Arguments& arguments) {
    if (command.got_subcommand("accept-source")) {
        return commands::repair_accept_source(
            settings, arguments.accept_reason, std::cout, std::cerr
        );
    }
    if (command.got_subcommand("reseed")) {
        return commands::repair_reseed(settings, arguments.reseed, std::cout, std::cerr);
    }
    if (command.got_subcommand("accept-gap")) {
        return commands::repair_accept_gap(settings, arguments.accept_gap, std::cout, std::cerr);
    }
    if (command.got_subcommand("release")) {
        return commands::repair_release(settings, arguments.release, std::cout, std::cerr);
    }
    arguments.skip.to = lsn_of(arguments.skip_to);
    arguments.skip.asks = !arguments.skip_yes && ::isatty(STDIN_FILENO) == 1;
    return commands::repair_skip(settings, arguments.skip, std::cin, std::cout, std::cerr);
}

int dispatch(const CLI::App& app, Arguments& arguments) {
    const auto given = [&](const char* name) { return app.got_subcommand(name); };
    if (given("init")) {
        if (!arguments.config_file.empty()) {
            throw CLI::ValidationError{
                "init takes no --config: it writes a configuration, to the file named by --output"};
        }
        return commands::init(arguments.init, std::cout, std::cerr);
    }
    if (const auto code = arguments.reading.run_alone(app)) return *code;
    const auto file = config::find_config_file(
        arguments.config_file.empty() ? std::nullopt : std::optional{arguments.config_file}
    );
    if (given("run")) return run(file, arguments);
    if (given("replay")) return replay(file, arguments);
    const auto settings = config::load(file);
    if (given("check")) return commands::check(settings, {}, std::cout);
    if (const auto code = arguments.reading.run(app, settings)) return *code;
    if (given("verify")) return commands::verify(settings, arguments.verify, std::cout, std::cerr);
    if (given("serve")) return serve(settings);
    if (given("watch")) return commands::watch(settings, arguments.watch, std::cerr);
    if (const auto code = arguments.files.run(app, settings)) return *code;
    if (given("bookmark")) return bookmark(*app.get_subcommand("bookmark"), settings, arguments);
    return repair(*app.get_subcommand("repair"), settings, arguments);
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine line;
    try {
        line.app.parse(argc, argv);
        return dispatch(line.app, line.arguments);
    } catch (const CLI::ParseError& error) {
        return line.app.exit(error) == 0 ? commands::exit_done : commands::exit_usage;
    } catch (const config::ConfigError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return commands::exit_usage;
    } catch (const reading::Error& error) {
        return commands::report(error, std::cerr);
    } catch (const pq::Error& error) {
        return commands::report(error, std::cerr);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pgchronicle: error: %s\n", log::one_line(error.what()).c_str());
        return commands::exit_needs_operator;
    }
}
