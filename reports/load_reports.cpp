#include "reports/load_reports.hpp"

#include "config/error.hpp"
#include "config/read_file.hpp"
#include "log/printable.hpp"
#include "reports/definition_lines.hpp"
#include "reports/named_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

namespace pgchronicle::reports {
namespace {

/// A report is read by people.
constexpr std::size_t file_bytes_max = std::size_t{1} << 20U;

/// A report with where its name and path stand.
struct Parsed {
    Report report;
    int name_line{1};
    int path_line{1};
};

config::Problem problem_of(const std::string& file, int line, std::string message) {
    return {
        .file = file,
        .line = line,
        .key = {},
        .message = std::move(message),
        .detail = {},
        .hint = {},
    };
}

void note(const std::string& file, Fault fault, std::vector<config::Problem>& problems) {
    auto problem = problem_of(file, fault.line, std::move(fault.message));
    problem.hint = std::move(fault.hint);
    problems.push_back(std::move(problem));
}

std::vector<Placeholder> placeholders_of(const Report& report) {
    std::vector<Placeholder> placeholders;
    for (const Parameter& parameter : report.parameters) {
        placeholders.push_back({parameter.name, sql_type(parameter.type)});
    }
    return placeholders;
}

/// The line of the first byte that is not UTF-8, if there is one.
std::optional<int> find_wrong_byte(std::string_view text) {
    int line = 1;
    while (!text.empty()) {
        const auto character = log::front_character(text);
        if (!character.valid || character.code_point == 0) return line;
        if (character.code_point == '\n') ++line;
        text.remove_prefix(character.length_bytes);
    }
    return std::nullopt;
}

Parsed
parse(const std::string& file, std::string_view text, std::vector<config::Problem>& problems) {
    constexpr std::string_view byte_order_mark{"\xEF\xBB\xBF"};
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    if (const auto line = find_wrong_byte(text)) {
        note(file, {*line, "the file is not UTF-8, or holds NUL"}, problems);
        return {};
    }
    auto definition = read_definition(text);
    Report& report = definition.report;
    report.file = file;
    if (report.name.empty()) {
        const auto named =
            read_definition("-- name: " + std::filesystem::path{file}.stem().string());
        report.name = named.report.name;
        if (!named.faults.empty()) {
            note(
                file,
                {1, "the file's name is no name for a report", "Add a line -- name:"},
                problems
            );
        }
    }
    for (Fault& fault : definition.faults) note(file, std::move(fault), problems);
    auto numbered = number_parameters(
        text.substr(definition.sql_begins), placeholders_of(report), definition.sql_line
    );
    for (Fault& fault : numbered.faults) note(file, std::move(fault), problems);
    for (std::size_t i = 0; i < numbered.used.size(); ++i) {
        if (numbered.used[i]) continue;
        const auto& name = report.parameters[i].name;
        note(
            file,
            {definition.parameter_lines[i],
             fmt::format("parameter \"{}\" is not used", name),
             fmt::format("The SQL names it as :{}.", name)},
            problems
        );
    }
    report.sql = std::move(numbered.sql);
    return {std::move(report), definition.name_line, definition.path_line};
}

std::vector<std::string> sql_files(const std::string& dir, std::vector<config::Problem>& problems) {
    std::vector<std::string> files;
    std::error_code error;
    std::filesystem::directory_iterator entry{dir, error};
    for (; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) {
        const auto& path = entry->path();
        const bool hidden = path.filename().string().starts_with('.');
        if (!hidden && path.extension() == ".sql") files.push_back(path.string());
    }
    if (error) {
        auto problem = problem_of(dir, 0, "could not read the folder of reports");
        problem.detail = error.message() + ".";
        problem.hint = "It is what reports.dir names; a relative one is beside the configuration.";
        problems.push_back(std::move(problem));
    }
    std::ranges::sort(files);
    return files;
}

/// Of two reports, the later one is at fault.
void require_unique(const std::vector<Parsed>& parsed, std::vector<config::Problem>& problems) {
    using Files = std::map<std::string, std::string>;
    const auto claim = [&](Files& taken, const std::string& name, config::Problem problem) {
        const auto [earlier, is_new] = taken.emplace(name, problem.file);
        if (is_new) return;
        problem.detail = fmt::format("It is in {}.", earlier->second);
        problems.push_back(std::move(problem));
    };
    Files names;
    Files paths;
    for (const auto& [report, name_line, path_line] : parsed) {
        if (report.name.empty()) continue;  // It could not be read.
        auto same_name = fmt::format("report \"{}\" exists already", report.name);
        claim(names, report.name, problem_of(report.file, name_line, std::move(same_name)));
        if (report.path.empty()) continue;
        auto same_path = fmt::format("path {} is taken already", report.path);
        claim(paths, report.path, problem_of(report.file, path_line, std::move(same_path)));
    }
}

}  // namespace

Report parse_report(const std::string& file, std::string_view text) {
    std::vector<config::Problem> problems;
    auto parsed = parse(file, text, problems);
    if (!problems.empty()) throw config::ConfigError{std::move(problems)};
    return std::move(parsed.report);
}

std::vector<Report> load_reports(const std::string& dir) {
    if (dir.empty()) return {};
    std::vector<config::Problem> problems;
    std::vector<Parsed> parsed;
    for (const auto& file : sql_files(dir, problems)) {
        const auto content = config::read_file(file, file_bytes_max);
        if (!content.error.empty()) {
            problems.push_back(problem_of(file, 0, "could not read the report: " + content.error));
            continue;
        }
        parsed.push_back(parse(file, content.text, problems));
    }
    require_unique(parsed, problems);
    if (!problems.empty()) throw config::ConfigError{std::move(problems)};
    std::vector<Report> reports;
    reports.reserve(parsed.size());
    for (Parsed& one : parsed) reports.push_back(std::move(one.report));
    std::ranges::sort(reports, {}, &Report::name);
    return reports;
}

}  // namespace pgchronicle::reports
