#pragma once

#include "config/settings.hpp"
#include "files/export.hpp"
#include "files/import.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::commands {

/// `export` and `import`: their options, and what becomes of them.
class FilesCommands {
public:
    /// `takes_config` gives a command the option --config.
    void add_to(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);

    /// Runs the one that was given; nothing where it is none of these. The exit code: 0; 1 for a
    /// file that is not what it has to be; 2 for a wrong request; 3 for what cannot be done now.
    [[nodiscard]] std::optional<int> run(const CLI::App& app, const config::Settings& settings);

private:
    void add_export(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);
    void add_import(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);
    int run_export(const config::Settings& settings);
    int run_import(const config::Settings& settings);

    files::ExportRequest export_;
    std::string lsn_;
    std::string format_{"csv"};
    std::string time_zone_;
    unsigned wait_seconds_{0};
    files::ImportRequest import_;
    std::vector<std::string> types_;
    std::string delimiter_;
};

}  // namespace pgchronicle::commands
