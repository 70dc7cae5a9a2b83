#pragma once

#include "config/settings.hpp"
#include "files/export.hpp"
#include "files/import.hpp"

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace pgchronicle::commands {

/// `export` and `import`: their options, and what becomes of them.
class FilesCommands {
public:
    /// `takes_config` gives a command the option --config.
    void add_to(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);

    /// Whether the command line names one of them.
    [[nodiscard]] bool given(const CLI::App& app) const;

    /// Returns the exit code: 0; 1 for a file that is not what it has to be; 2 for a wrong request;
    /// 3 for what cannot be done now.
    int
    run(const CLI::App& app,
        const config::Settings& settings,
        std::ostream& out,
        std::ostream& err);

private:
    void add_export(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);
    void add_import(CLI::App& app, const std::function<void(CLI::App&)>& takes_config);
    int run_export(const config::Settings& settings, std::ostream& out, std::ostream& err);
    int run_import(const config::Settings& settings, std::ostream& out);

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
