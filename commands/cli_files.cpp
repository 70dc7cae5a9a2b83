#include "commands/cli_files.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/refusal.hpp"
#include "files/error.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/table_failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace pgchronicle::commands {
namespace {

int exit_code_of(files::Fault fault) {
    switch (fault) {
    case files::Fault::request:
        return exit_usage;
    case files::Fault::content:
        return exit_check_failed;
    case files::Fault::not_ready:
        return exit_needs_operator;
    }
    return exit_needs_operator;
}

/// "a=integer,b=numeric(10,2)" apart; a comma within parentheses belongs to the type.
std::map<std::string, std::string> parse_types(const std::vector<std::string>& texts) {
    std::map<std::string, std::string> types;
    for (const auto& text : texts) {
        std::vector<std::string> parts(1);
        int depth = 0;
        for (const char c : text) {
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (c == ',' && depth == 0) {
                parts.emplace_back();
            } else {
                parts.back() += c;
            }
        }
        for (const auto& part : parts) {
            const auto equals = part.find('=');
            if (equals == std::string::npos || equals == 0 || equals + 1 == part.size()) {
                throw CLI::ValidationError{"--types takes column=type, ...; not \"" + part + "\""};
            }
            types[part.substr(0, equals)] = part.substr(equals + 1);
        }
    }
    return types;
}

/// "key=a,b" and repeated options come to the same.
std::vector<std::string> parse_list(const std::vector<std::string>& texts) {
    std::vector<std::string> list;
    for (const auto& text : texts) {
        for (std::size_t begin = 0; begin <= text.size();) {
            const auto end = std::min(text.find(',', begin), text.size());
            if (end > begin) list.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
    }
    return list;
}

std::string rows_text(std::uint64_t rows) {
    return fmt::format("{} {}", rows, rows == 1 ? "row" : "rows");
}

}  // namespace

void FilesCommands::add_to(CLI::App& app, const std::function<void(CLI::App&)>& takes_config) {
    add_export(app, takes_config);
    add_import(app, takes_config);
}

void FilesCommands::add_export(CLI::App& app, const std::function<void(CLI::App&)>& takes_config) {
    auto* command = app.add_subcommand(
        "export", "Write tables as of a moment to DIR/{table}/{day}/, the same each time"
    );
    takes_config(*command);
    auto* as_of = command->add_option(
        "--as-of",
        export_.moment.as_of,
        "A day (2026-03-03: the end of it), or a time (2026-03-03T12:00:00Z)"
    );
    command->add_option("--lsn", lsn_, "An LSN, in place of a time")->excludes(as_of);
    command->add_option("--dir", export_.dir, "Where the tables' folders are")->required();
    command->add_option("--table", export_.tables, "schema.table or table; may be repeated");
    command->add_option("--format", format_, "csv or jsonl (default csv)")
        ->check(CLI::IsMember({"csv", "jsonl"}));
    command->add_flag("--gzip", export_.gzip, "Compress the files of rows");
    command->add_option(
        "--day", export_.moment.day, "Name of the day's folders (default: the moment's day)"
    );
    command->add_option(
        "--time-zone", time_zone_, "Of days, and of times without an offset (default UTC)"
    );
    command
        ->add_option("--wait", wait_seconds_, "Seconds to wait for a moment that is still to come")
        ->check(CLI::Range(0U, 7U * 86'400U));
}

void FilesCommands::add_import(CLI::App& app, const std::function<void(CLI::App&)>& takes_config) {
    auto* command = app.add_subcommand(
        "import", "Take a CSV file as what a table holds now; differences become versions"
    );
    takes_config(*command);
    command->add_option("file", import_.file, "CSV with a line of column names; gzip or not")
        ->required();
    command->add_option("--table", import_.table, "schema.table, or table of schema \"imported\"")
        ->required();
    command->add_option("--key", import_.key, "Columns that tell rows apart: a,b")->required();
    command->add_option("--types", types_, "column=type, ... (default: the history's, or text)");
    command->add_option(
        "--day", import_.day, "The day that the file is of; needs a _SUCCESS beside"
    );
    command->add_option(
        "--after",
        import_.after,
        "With --day: an imported table, or a folder (with a slash), due for that day first"
    );
    command->add_option("--delimiter", delimiter_, "Between fields (default ,)")
        ->check(CLI::Validator{
            [](const std::string& text) {
                const bool fits = text.size() == 1 && text != "\"" && text != "\n" && text != "\r";
                return fits ? std::string{} : std::string{"--delimiter takes one character"};
            },
            "CHARACTER"});
}

int FilesCommands::run_export(const config::Settings& settings) {
    auto& moment = export_.moment;
    if (!lsn_.empty()) {
        moment.lsn = pgoutput::parse_lsn(lsn_);
        if (!moment.lsn) {
            throw CLI::ValidationError{"invalid LSN \"" + lsn_ + "\"; it looks like 16/B374D848"};
        }
    }
    if (moment.lsn.has_value() == moment.as_of.has_value()) {
        throw CLI::ValidationError{"export needs --as-of or --lsn"};
    }
    moment.time_zone = time_zone_.empty() ? settings.exports.time_zone : time_zone_;
    export_.format = format_ == "csv" ? files::FileFormat::csv : files::FileFormat::jsonl;
    export_.patience = std::chrono::seconds{wait_seconds_};
    const auto result = files::export_tables(
        connect_options(settings.target.connection, "export"),
        connect_options(settings.source.connection, "export"),
        settings,
        export_
    );
    for (const auto& table : result.tables) {
        std::cout << fmt::format(
            "{}: {} in {}\n",
            one_line(table.table),
            rows_text(table.rows),
            one_line(table.folder.string())
        );
        for (const auto& gap : table.gaps) {
            std::cerr << fmt::format(
                "pgchronicle: warning: history of table \"{}\" is incomplete then\nDETAIL:  {}\n",
                one_line(table.table),
                gap
            );
        }
    }
    for (const auto& table : result.begin_later) {
        std::cerr << fmt::format(
            "pgchronicle: warning: table \"{}\" is left out: its history begins later\n",
            one_line(table)
        );
    }
    for (const auto& table : result.untold) {
        std::cerr << fmt::format(
            "pgchronicle: warning: table \"{}\" is left out: it has been renamed, and its history "
            "of then is not known\n",
            one_line(table)
        );
    }
    return exit_done;
}

int FilesCommands::run_import(const config::Settings& settings) {
    import_.key = parse_list(import_.key);
    import_.types = parse_types(types_);
    if (import_.key.empty()) throw CLI::ValidationError{"--key names no column"};
    if (!import_.after.empty() && !import_.day) {
        throw CLI::ValidationError{"--after needs --day"};
    }
    if (!delimiter_.empty()) import_.csv.delimiter = delimiter_.front();
    const auto imported = files::import_file(
        connect_options(settings.target.connection, "import"), settings, import_
    );
    const auto name = one_line(imported.table);
    if (!imported.lsn) {
        std::cout << fmt::format(
            "{}: nothing to write, the history has these {}\n", name, rows_text(imported.rows)
        );
        return exit_done;
    }
    std::cout << fmt::format(
        "{}: {} inserted, {} updated, {} deleted of {}, at {}, in {}\n",
        name,
        imported.inserted,
        imported.updated,
        imported.deleted,
        rows_text(imported.rows),
        to_string(*imported.lsn),
        one_line(imported.history)
    );
    return exit_done;
}

std::optional<int> FilesCommands::run(const CLI::App& app, const config::Settings& settings) {
    const bool exports = app.got_subcommand("export");
    if (!exports && !app.got_subcommand("import")) return std::nullopt;
    const auto refuse_history = [&](const auto& error) {
        return report(
            Refusal{
                .exit_code = exit_needs_operator,
                .primary = error.what(),
                .detail = error.detail(),
                .hint = error.hint(),
            },
            std::cerr
        );
    };
    try {
        return exports ? run_export(settings) : run_import(settings);
    } catch (const files::Error& error) {
        return report(
            Refusal{
                .exit_code = exit_code_of(error.fault),
                .primary = error.primary,
                .detail = error.detail,
                .hint = error.hint,
            },
            std::cerr
        );
    } catch (const history_writer::TableFailure& error) {
        return refuse_history(error);
    } catch (const history_writer::pg::Mismatch& error) {
        return refuse_history(error);
    }
}

}  // namespace pgchronicle::commands
