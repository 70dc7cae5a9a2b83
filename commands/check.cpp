#include "commands/check.hpp"

#include "commands/aligned_table.hpp"
#include "commands/gather_facts.hpp"
#include "config/error.hpp"
#include "pq/connection.hpp"
#include "reading/reader_options.hpp"
#include "reports/load_reports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string_view>

namespace pgchronicle::commands {
namespace {

using replicator::Facts;
using replicator::Problem;
using replicator::Severity;
using replicator::Side;

const char* label_of(Severity severity) {
    switch (severity) {
    case Severity::fatal:
        return "FATAL";
    case Severity::warning:
        return "WARNING";
    case Severity::note:
        return "NOTICE";
    }
    return "FATAL";
}

const char* name_of(Side side) {
    switch (side) {
    case Side::source:
        return "source";
    case Side::target:
        return "target";
    case Side::configuration:
        return "source";  // Its SQL, where it has any, is for the source.
    }
    return "source";
}

void print_problem(const Problem& problem, std::ostream& out) {
    // Names are the source's to choose: none of them begins a line of its own.
    out << label_of(problem.severity) << ":  " << one_line(problem.what) << '\n';
    if (!problem.detail.empty()) out << "DETAIL:  " << one_line(problem.detail) << '\n';
    if (!problem.hint.empty()) out << "HINT:  " << one_line(problem.hint) << '\n';
    if (!problem.mending_sql.empty()) {
        out << "SQL, on the " << name_of(problem.where) << ":\n";
        std::string_view rest = problem.mending_sql;
        while (!rest.empty()) {
            const auto end = rest.find('\n');
            out << "    " << one_line(std::string{rest.substr(0, end)}) << '\n';
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        }
    }
    out << '\n';
}

std::string version_text(int version) {
    return fmt::format("PostgreSQL {}.{}", version / 10000, version % 10000);
}

void print_summary(const Facts& facts, std::ostream& out) {
    if (facts.source) {
        const auto& source = *facts.source;
        out << fmt::format(
            "source: {}, database \"{}\", role \"{}\", slot \"{}\"{}\n",
            version_text(source.server.version),
            source.server.database,
            source.server.role,
            facts.settings.source.slot,
            source.slot ? " at " + to_string(source.slot->confirmed_flush_lsn) : " (none yet)"
        );
    }
    if (facts.target) {
        const auto& target = *facts.target;
        out << fmt::format(
            "target: {}, database \"{}\", role \"{}\", {}\n",
            version_text(target.version),
            target.database,
            target.role,
            target.checkpoint ? "complete up to " + to_string(target.checkpoint->position)
                              : std::string{"no history yet"}
        );
    }
    if (!facts.source) {
        out << '\n';
        return;
    }
    const auto planned = planned_tables(facts);
    out << fmt::format("tables: {} of {} published\n", planned.size(), facts.source->tables.size());
    for (const auto& table : planned) {
        out << fmt::format(
            "    {}.{} -> {}.{}\n",
            one_line(table.source_schema),
            one_line(table.source_table),
            one_line(table.target_schema),
            one_line(table.target_table)
        );
    }
    out << '\n';
}

/// What `run` and `serve` stop for before they ask a server.
void judge_reports(const config::Settings& settings, std::vector<Problem>& problems) {
    try {
        static_cast<void>(reports::load_reports(settings.reports_dir));
    } catch (const config::ConfigError& error) {
        for (const auto& problem : error.problems()) {
            problems.push_back(
                {.where = Side::configuration,
                 .what = problem.line > 0
                             ? fmt::format("{}:{}: {}", problem.file, problem.line, problem.message)
                             : fmt::format("{}: {}", problem.file, problem.message),
                 .detail = problem.detail,
                 .hint = problem.hint}
            );
        }
    }
}

/// Whoever serves HTTP goes on without it, and answers 503.
void judge_reader(const Facts& facts, std::vector<Problem>& problems) {
    if (!facts.settings.http.listen || !facts.target) return;
    try {
        static_cast<void>(pq::Connection::open(reading::reader_options(facts.settings)));
    } catch (const pq::Error& error) {
        problems.push_back(
            {.severity = Severity::warning,
             .where = Side::configuration,
             .what = "HTTP could not read the target: " + error.primary(),
             .detail = error.detail(),
             .hint = "It connects as http.dsn says, or else as target.dsn, and takes http.role."}
        );
    }
}

}  // namespace

void print_problems(std::span<const Problem> problems, std::ostream& out) {
    for (const Severity severity : {Severity::fatal, Severity::warning, Severity::note}) {
        for (const Problem& problem : problems) {
            if (problem.severity == severity) print_problem(problem, out);
        }
    }
}

int check(const config::Settings& settings, const CheckOptions& /*options*/, std::ostream& out) {
    const Facts facts = gather_facts(settings);
    auto problems = preflight(facts);
    judge_reports(settings, problems);
    judge_reader(facts, problems);
    for (const auto& warning : settings.warnings) {
        problems.push_back(
            {.severity = Severity::warning, .where = Side::configuration, .what = warning}
        );
    }
    const auto count = [&](Severity severity) {
        return std::ranges::count(problems, severity, &Problem::severity);
    };
    print_summary(facts, out);
    print_problems(problems, out);
    const auto fatal = count(Severity::fatal);
    out << fmt::format(
        "{}: {} fatal, {} warnings, {} notices\n",
        fatal == 0 ? "OK" : "NOT OK",
        fatal,
        count(Severity::warning),
        count(Severity::note)
    );
    constexpr int check_failed = 1;
    return fatal == 0 ? 0 : check_failed;
}

}  // namespace pgchronicle::commands
