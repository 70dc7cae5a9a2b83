#include "commands/report.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/print_rows.hpp"
#include "commands/refusal.hpp"
#include "commands/report_help.hpp"
#include "commands/write_file.hpp"
#include "reports/load_reports.hpp"
#include "reports/run_report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ostream>
#include <utility>

namespace pgchronicle::commands {
namespace {

using reading::ErrorKind;
using reading::Format;
using reading::Rows;
using reports::Report;

reading::Error bad_usage(std::string primary, std::string hint = {}) {
    return reading::Error{
        {.kind = ErrorKind::bad_request,
         .primary = std::move(primary),
         .detail = {},
         .hint = std::move(hint)}};
}

/// --limit=3 --status=open
std::string parameters_text(const Report& report) {
    std::string text;
    for (const auto& parameter : report.parameters) {
        if (!text.empty()) text += ' ';
        text += "--" + parameter.name;
        if (parameter.default_value) text += "=" + *parameter.default_value;
    }
    return text;
}

Rows list_of(const std::vector<Report>& reports) {
    constexpr std::uint32_t oid_of_text = 25;
    Rows rows;
    for (const char* name : {"report", "parameters", "path", "description"}) {
        rows.columns.push_back({.name = name, .type = "text", .type_oid = oid_of_text});
    }
    for (const Report& report : reports) {
        rows.rows.push_back({report.name, parameters_text(report), report.path, report.description}
        );
    }
    return rows;
}

std::string text_of(const Rows& rows, Format format) {
    switch (format) {
    case Format::json:
        return reading::to_json(rows) + "\n";
    case Format::csv:
    case Format::table:
        break;
    }
    return reading::to_csv(rows);
}

void print(const Rows& rows, Format format, bool colours, std::ostream& out) {
    switch (format) {
    case Format::table:
        print_rows(rows, out, colours);
        return;
    case Format::csv:
    case Format::json:
        out << text_of(rows, format);
    }
}

/// One report's answer, as its file will hold it.
struct Ran {
    const Report* report{nullptr};
    std::string text;
};

/// An error of the report's SQL, which the configuration's author can mend.
int refuse_sql(const Report& report, const pq::Error& error, std::ostream& err) {
    // The transaction is ours, so that no other server lets it write.
    constexpr const char* read_only = "25006";
    const bool final =
        error.disposition() == pq::Disposition::halt || error.sqlstate() == read_only;
    return commands::report(
        Refusal{
            .exit_code = final ? exit_needs_operator : exit_try_again,
            .primary = fmt::format("report \"{}\" cannot run: {}", report.name, error.primary()),
            .detail = error.detail(),
            .hint = fmt::format("Its SQL stands in {}.", report.file),
        },
        err
    );
}

std::vector<const Report*> chosen(const std::vector<Report>& all, const ReportOptions& options) {
    std::vector<const Report*> reports;
    if (options.all) {
        for (const Report& report : all) reports.push_back(&report);
        return reports;
    }
    try {
        reports.push_back(&reports::find_report(all, options.name));
    } catch (reading::Error& error) {
        // In "report --limit 3 top" the name seems to be 3.
        if (!options.values.empty()) error.hint = "The report's name comes before its parameters.";
        throw;
    }
    return reports;
}

/// Of all reports, those that cannot run without being told something are left to be run alone.
bool passed_over(const Report& report, std::ostream& err) {
    for (const auto& parameter : report.parameters) {
        if (parameter.default_value) continue;
        err << fmt::format(
            "pgchronicle: warning: report \"{0}\" is passed over\n"
            "DETAIL:  Its parameter \"{1}\" has no default.\n"
            "HINT:  pgchronicle report {0} --{1} VALUE --export\n",
            report.name,
            parameter.name
        );
        return true;
    }
    return false;
}

std::string file_name(const Report& report, Format format, std::chrono::sys_seconds now) {
    return fmt::format(
        "{}_result_{:%Y%m%dT%H%M%SZ}.{}",
        report.name,
        fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
        format == Format::json ? "json" : "csv"
    );
}

void write_files(
    const std::vector<Ran>& ran,
    Format format,
    const std::string& dir,
    std::ostream& out
) {
    const auto now =
        std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const Ran& one : ran) {
        const auto file = write_new_file(dir, file_name(*one.report, format, now), one.text);
        out << one_line(file) << '\n';
    }
}

void require_sense(const ReportOptions& options) {
    if (options.all && !options.name.empty()) {
        throw bad_usage("a report's name and --all cannot be given together");
    }
    if (options.all && !options.values.empty()) {
        throw bad_usage(
            "--all takes no parameters", "Every report is run with the defaults of its own."
        );
    }
    if (options.all && !options.export_dir) {
        throw bad_usage("--all needs --export", "Add --export, or --export DIR.");
    }
    if (options.export_dir && options.format == Format::table) {
        throw bad_usage("a file is CSV or JSON", "Leave --format out, or say --format json.");
    }
    if (!options.all && options.name.empty() && (options.export_dir || !options.values.empty())) {
        throw bad_usage(
            "the report's name is missing", R"("pgchronicle report" lists them; --all is all.)"
        );
    }
}

}  // namespace

std::map<std::string, std::string>
values_of(const std::vector<std::string>& arguments, const std::vector<std::string>& pairs) {
    std::map<std::string, std::string> values;
    const auto take = [&](const std::string& name, const std::string& value) {
        if (values.emplace(name, value).second) return;
        throw bad_usage(fmt::format("parameter \"{}\" is given twice", name));
    };
    for (const auto& pair : pairs) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw bad_usage(
                fmt::format("--param \"{}\" has no value", pair), "Write --param name=value."
            );
        }
        take(pair.substr(0, equals), pair.substr(equals + 1));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& argument = arguments[i];
        if (!argument.starts_with("--") || argument.size() == 2) {
            throw bad_usage(
                fmt::format("argument \"{}\" is not understood", argument),
                "A parameter is given as --name value."
            );
        }
        const auto equals = argument.find('=');
        const auto name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
        if (equals != std::string::npos) {
            take(name, argument.substr(equals + 1));
        } else if (i + 1 < arguments.size()) {
            take(name, arguments[++i]);
        } else {
            throw bad_usage(fmt::format("--{} has no value", name));
        }
    }
    return values;
}

int run_reports(
    const config::Settings& settings,
    const ReportOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    require_sense(options);
    const auto all = reports::load_reports(settings.reports_dir);
    if (options.name.empty() && !options.all) {
        print(list_of(all), options.format.value_or(Format::table), options.colours, out);
        return exit_done;
    }
    if (options.help) {
        print_report_help(*chosen(all, options).front(), out, options.colours);
        return exit_done;
    }
    std::vector<std::pair<const Report*, reports::Bound>> wanted;
    for (const Report* report : chosen(all, options)) {
        if (options.all && passed_over(*report, err)) continue;
        wanted.emplace_back(report, reports::bind(*report, options.values));
    }
    auto target = connect(settings.target.connection, "report");
    // One snapshot for all of them.
    target.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const auto file_format = options.format.value_or(Format::csv);
    std::vector<Ran> ran;
    for (const auto& [report, bound] : wanted) {
        try {
            const auto rows = reports::run_report(target, *report, bound, {});
            if (!options.export_dir) {
                print(rows, options.format.value_or(Format::table), options.colours, out);
                return exit_done;
            }
            ran.push_back({report, text_of(rows, file_format)});
        } catch (const pq::Error& error) {
            return refuse_sql(*report, error, err);
        }
    }
    write_files(ran, file_format, *options.export_dir, out);
    return exit_done;
}

}  // namespace pgchronicle::commands
