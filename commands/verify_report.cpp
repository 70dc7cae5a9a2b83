#include "commands/verify_report.hpp"

#include "commands/aligned_table.hpp"
#include "commands/json_list.hpp"
#include "history_writer/pg/text_literals.hpp"

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <vector>

namespace pgchronicle::commands {
namespace {

using history_writer::pg::json_string;
using verify::BrokenInvariant;
using verify::Difference;
using verify::DifferenceKind;
using verify::Fields;
using verify::Report;
using verify::TableOutcome;
using verify::TableReport;

/// A longer value would push the ones beside it off the screen.
constexpr std::size_t value_width_max = 60;

const char* name_of(TableOutcome outcome) {
    switch (outcome) {
    case TableOutcome::compared:
        return "compared";
    case TableOutcome::dropped:
        return "dropped";
    case TableOutcome::unknown:
        return "unknown";
    case TableOutcome::not_followed:
        return "not followed";
    }
    return "";
}

const char* name_of(DifferenceKind kind) {
    switch (kind) {
    case DifferenceKind::missing:
        return "missing in history";
    case DifferenceKind::extra:
        return "not in source";
    case DifferenceKind::several:
        return "several versions";
    case DifferenceKind::differs:
        return "differs";
    }
    return "";
}

std::string joined(const std::vector<std::string>& names) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + one_line(name);
    return list;
}

std::string plural(std::uint64_t count, const char* one, const char* many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

// -- text ----------------------------------------------------------------------------------------

std::string text_of(const Fields& fields) {
    std::string text;
    for (const auto& field : fields) {
        text += fmt::format(
            "{}{} = {}",
            text.empty() ? "" : ", ",
            one_line(field.name),
            field.value ? one_line(*field.value, value_width_max) : "NULL"
        );
    }
    return text;
}

std::string text_of(const Difference& difference) {
    const auto what = [&]() -> std::string {
        switch (difference.kind) {
        case DifferenceKind::several:
            return fmt::format("{} versions at once", difference.count);
        case DifferenceKind::differs:
            return "differs in " + joined(difference.columns);
        case DifferenceKind::missing:
        case DifferenceKind::extra:
            break;
        }
        const auto times = difference.count == 1 ? "" : fmt::format(" {} times", difference.count);
        return name_of(difference.kind) + times;
    }();
    return fmt::format("    {}: {}\n", text_of(difference.key), what);
}

void print_broken(const TableReport& table, const BrokenInvariant& broken, std::ostream& out) {
    out << fmt::format(
        "\n{}: {} is broken {}\n    {}\n",
        one_line(table.source),
        broken.check,
        broken.count == 1 ? "once" : fmt::format("{} times", broken.count),
        broken.says
    );
    for (const auto& row : broken.rows) out << "    " << text_of(row) << '\n';
    if (broken.count > broken.rows.size() && !broken.rows.empty()) {
        out << fmt::format("    and {} more\n", broken.count - broken.rows.size());
    }
}

/// Differences that stand one by one in the report; the rest is only counted.
std::uint64_t told(const TableReport& table) {
    std::uint64_t count = 0;
    for (const auto& key : table.keys) {
        count += key.kind == DifferenceKind::several ? 1 : key.count;
    }
    return count;
}

void print_details(const TableReport& table, std::ostream& out) {
    const auto name = one_line(table.source);
    if (!table.why.empty()) {
        out << fmt::format(
            "\n{}: {}{}\n",
            name,
            table.outcome == TableOutcome::unknown ? "not compared, " : "",
            one_line(table.why)
        );
    }
    for (const auto& column : table.left_out) {
        out << fmt::format(
            "\n{}: column {} is not compared: {}\n", name, one_line(column.name), column.why
        );
    }
    if (table.unseen > 0) {
        out << fmt::format(
            "\n{}: {} no change has shown yet (snapshot: never)\n",
            name,
            plural(table.unseen, "row that", "rows that")
        );
    }
    if (table.gaps > 0) {
        out << fmt::format(
            "\n{}: {} known, see pgchronicle.gap\n",
            name,
            plural(table.gaps, "difference is", "differences are")
        );
    }
    if (table.differences > 0) {
        out << fmt::format(
            "\n{}: {}\n", name, plural(table.differences, "difference", "differences")
        );
        for (const auto& key : table.keys) out << text_of(key);
        if (!table.keys.empty() && table.differences > told(table)) {
            out << fmt::format("    and {} more\n", table.differences - told(table));
        }
    }
    for (const auto& broken : table.broken) print_broken(table, broken, out);
}

std::string invariants_cell(const TableReport& table) {
    if (table.invariants == 0) return "";
    if (table.broken.empty()) return fmt::format("{} hold", table.invariants);
    return fmt::format("{} of {} broken", table.broken.size(), table.invariants);
}

std::vector<std::string> cells_of(const TableReport& table) {
    const bool counted =
        table.outcome == TableOutcome::compared || table.outcome == TableOutcome::dropped;
    const auto cell = [&](std::uint64_t number) {
        return counted ? std::to_string(number) : std::string{"-"};
    };
    return {
        table.source + (table.sampled ? " (sample)" : ""),
        cell(table.rows),
        cell(table.versions),
        cell(table.differences),
        cell(table.gaps),
        invariants_cell(table)};
}

void print_verdict(const Report& report, std::ostream& out) {
    std::uint64_t rows = 0;
    std::uint64_t differences = 0;
    std::size_t broken = 0;
    std::size_t unknown = 0;
    for (const auto& table : report.tables) {
        rows += table.rows;
        differences += table.differences;
        broken += table.broken.size();
        unknown += table.outcome == TableOutcome::unknown ? 1 : 0;
    }
    if (report.sound()) {
        out << fmt::format(
            "\n{}: {} of {} in {:.1f} s\n",
            report.sample ? "no difference in a sample" : "equal",
            plural(rows, "row", "rows"),
            plural(report.tables.size(), "table", "tables"),
            report.seconds
        );
        return;
    }
    out << fmt::format("\nNOT equal: {}", plural(differences, "difference", "differences"));
    if (broken > 0) {
        out << fmt::format(", {} broken", plural(broken, "invariant", "invariants"));
    }
    if (unknown > 0) {
        out << fmt::format(", {} not compared", plural(unknown, "table", "tables"));
    }
    out << fmt::format(" in {:.1f} s\n", report.seconds);
}

// -- JSON ----------------------------------------------------------------------------------------

std::string json_of(const Fields& fields) {
    std::string text{"{"};
    for (const auto& field : fields) {
        text += fmt::format(
            "{}{}: {}",
            text.size() > 1 ? ", " : "",
            json_string(field.name),
            field.value ? json_string(*field.value) : "null"
        );
    }
    return text + "}";
}

std::string json_of(const Difference& difference) {
    return fmt::format(
        R"({{"kind": {}, "key": {}, "count": {}, "columns": {}}})",
        json_string(name_of(difference.kind)),
        json_of(difference.key),
        difference.count,
        json_list(difference.columns, [](const std::string& name) { return json_string(name); })
    );
}

std::string json_of(const BrokenInvariant& broken) {
    return fmt::format(
        R"({{"check": {}, "says": {}, "count": {}, "rows": {}}})",
        json_string(broken.check),
        json_string(broken.says),
        broken.count,
        json_list(broken.rows, [](const Fields& row) { return json_of(row); })
    );
}

std::string json_of(const TableReport& table) {
    const auto left_out = json_list(table.left_out, [](const verify::ColumnLeftOut& column) {
        return fmt::format(
            R"({{"column": {}, "why": {}}})", json_string(column.name), json_string(column.why)
        );
    });
    return fmt::format(
        "{{\"source\": {}, \"history\": {}, \"outcome\": {}, \"why\": {}, \"equal\": {}, "
        "\"sampled\": {}, \"rows\": {}, \"versions\": {}, \"differences\": {}, \"gaps\": {}, "
        "\"unseen\": {}, \"keys\": {}, \"columns_not_compared\": {}, \"invariants\": {}, "
        "\"broken\": {}}}",
        json_string(table.source),
        table.history.empty() ? "null" : json_string(table.history),
        json_string(name_of(table.outcome)),
        table.why.empty() ? "null" : json_string(table.why),
        table.sound(),
        table.sampled,
        table.rows,
        table.versions,
        table.differences,
        table.gaps,
        table.unseen,
        json_list(table.keys, [](const Difference& key) { return json_of(key); }),
        left_out,
        table.invariants,
        json_list(table.broken, [](const BrokenInvariant& broken) { return json_of(broken); })
    );
}

}  // namespace

void print_text(const Report& report, std::ostream& out) {
    out << fmt::format(
        "pipeline {} at LSN {}, {}\n", one_line(report.pipeline), to_string(report.lsn), report.time
    );
    if (!report.note.empty()) out << report.note << '\n';
    if (report.sample) {
        out << fmt::format(
            "A SAMPLE of {} of each table, seed {}: what it leaves out is not verified.\n",
            report.sample->asked.ends_with('%') ? report.sample->asked
                                                : report.sample->asked + " rows",
            report.sample->seed
        );
    }
    out << '\n';
    AlignedTable tables{{"table", "rows", "versions", "differences", "gaps", "invariants"}};
    for (const auto& table : report.tables) tables.add(cells_of(table));
    tables.print(out);
    for (const auto& table : report.tables) print_details(table, out);
    print_verdict(report, out);
}

void print_json(const Report& report, std::ostream& out) {
    const auto sample = report.sample ? fmt::format(
                                            R"({{"asked": {}, "seed": {}}})",
                                            json_string(report.sample->asked),
                                            report.sample->seed
                                        )
                                      : std::string{"null"};
    out << fmt::format(
        "{{\"pipeline\": {}, \"equal\": {}, \"lsn\": {}, \"time\": {}, \"note\": {}, \"sample\": "
        "{}, "
        "\"seconds\": {:.3f}, \"tables\": {}}}\n",
        json_string(report.pipeline),
        report.sound(),
        json_string(to_string(report.lsn)),
        json_string(report.time),
        report.note.empty() ? "null" : json_string(report.note),
        sample,
        report.seconds,
        json_list(report.tables, [](const TableReport& table) { return json_of(table); })
    );
}

}  // namespace pgchronicle::commands
