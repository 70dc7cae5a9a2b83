#include "commands/cli_reading.hpp"

#include "commands/colour.hpp"
#include "commands/command_line_texts.hpp"
#include "commands/refusal.hpp"
#include "commands/status.hpp"

#include <iostream>

namespace pgchronicle::commands {
namespace {

const std::vector<std::string> formats{"table", "csv", "json"};

void takes_format(CLI::App& command, std::string& format) {
    command.add_option("--format", format, "How it is written (default table)")
        ->check(CLI::IsMember(formats));
}

}  // namespace

void ReadingCommands::add_to(CLI::App& app, const std::function<void(CLI::App&)>& takes_config) {
    auto* status =
        app.add_subcommand("status", "One look: state, lag, rows per second, slot, tables, gaps");
    takes_config(*status);
    add_status(*status);
    auto* history = app.add_subcommand("history", "Every version of one row, and what changed");
    takes_config(*history);
    add_history(*history);
    auto* report = app.add_subcommand(
        "report",
        "Run a report of reports.dir, or list them; a parameter of it is an option: --limit 3"
    );
    takes_config(*report);
    add_report(*report);
    app.add_subcommand("completion", "Print what makes a shell complete these commands")
        ->add_option("shell", shell_, "Which shell: bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
    app.add_subcommand("man", "Print the manual page: pgchronicle man | man -l -");
}

void ReadingCommands::add_status(CLI::App& command) {
    command.add_flag("--json", json_, "As one JSON object: --format json");
    takes_format(command, format_);
}

void ReadingCommands::add_history(CLI::App& command) {
    command.add_option("table", history_.table, "schema.table, or table")->required();
    command.add_option("key", history_.key, "Values of the row key's columns, in key order");
    takes_format(command, format_);
}

void ReadingCommands::add_report(CLI::App& command) {
    // What is not known here is a parameter of the report.
    command.allow_extras();
    command.fallthrough(false);
    command.set_help_flag();
    command.add_flag(
        "--help,-h", report_.help, "Print this help message and exit; of a report, its parameters"
    );
    command.add_option("name", report_.name, "Which report (without: a list), then its parameters");
    // One at a time, or the report's name would be taken for another one.
    command.add_option("--param", pairs_, "A parameter, name=value; may be repeated")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    takes_format(command, format_);
    command.add_option("--export", export_dir_, "Write <name>_result_<time>.csv into this folder")
        ->expected(0, 1)
        ->default_str(".");
    command.add_flag("--all", report_.all, "Every report with its defaults, into --export");
}

std::optional<int> ReadingCommands::run_alone(const CLI::App& app) const {
    if (app.got_subcommand("completion")) {
        std::cout << completion_text(app, shell_);
        return exit_done;
    }
    if (app.got_subcommand("man")) {
        std::cout << manual_page(app);
        return exit_done;
    }
    if (app.got_subcommand("report") && report_.help && report_.name.empty()) {
        std::cout << app.get_subcommand("report")->help("pgchronicle");
        return exit_done;
    }
    return std::nullopt;
}

std::optional<int> ReadingCommands::run(const CLI::App& app, const config::Settings& settings)
    const {
    const auto format = reading::parse_format(format_);
    const bool colours = stdout_shows_colours();
    if (app.got_subcommand("status")) {
        StatusOptions options;
        options.format = format.value_or(reading::Format::table);
        if (json_) options.format = reading::Format::json;
        options.colours = colours;
        return status(settings, options, std::cout);
    }
    if (app.got_subcommand("history")) {
        auto options = history_;
        options.format = format.value_or(reading::Format::table);
        options.colours = colours;
        return history(settings, options, std::cout, std::cerr);
    }
    if (app.got_subcommand("report")) {
        const auto& command = *app.get_subcommand("report");
        auto options = report_;
        if (options.all && !(command.remaining().empty() && pairs_.empty())) {
            return commands::report(
                Refusal{
                    .exit_code = exit_usage,
                    .primary = "parameters do not go with --all",
                    .detail = "Every report runs with its defaults.",
                    .hint = "Run the one report by its name."},
                std::cerr
            );
        }
        options.values = values_of(command.remaining(), pairs_);
        options.format = format;
        options.colours = colours;
        if (command.count("--export") != 0) {
            options.export_dir = export_dir_.empty() ? "." : export_dir_;
        }
        return run_reports(settings, options, std::cout, std::cerr);
    }
    return std::nullopt;
}

}  // namespace pgchronicle::commands
