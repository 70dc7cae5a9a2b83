#pragma once

#include "commands/history.hpp"
#include "commands/report.hpp"
#include "config/settings.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::commands {

/// The command lines of those that read: `status`, `history`, `report`; and of `completion` and
/// `man`, which tell of all command lines.
class ReadingCommands {
public:
    /// `takes_config` gives a command the option that names the configuration.
    void add_to(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);

    /// Runs the one that was given and needs no configuration; nothing where it is none of these.
    [[nodiscard]] std::optional<int> run_alone(const CLI::App& app) const;

    /// Runs the one that was given; nothing where it is none of these.
    [[nodiscard]] std::optional<int> run(const CLI::App& app, const config::Settings& settings)
        const;

private:
    void add_status(CLI::App& command);
    void add_history(CLI::App& command);
    void add_report(CLI::App& command);

    std::string format_;
    bool json_{false};
    HistoryOptions history_;
    ReportOptions report_;
    std::vector<std::string> pairs_;
    std::string export_dir_;
    std::string shell_;
};

}  // namespace pgchronicle::commands
