#include "commands/status_report.hpp"

#include "commands/aligned_table.hpp"
#include "commands/json_list.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "reading/output.hpp"

#include <fmt/format.h>

#include <array>
#include <ostream>

namespace pgchronicle::commands {
namespace {

using history_writer::pg::json_string;

std::string json_text(const std::string& text) {
    return text.empty() ? "null" : json_string(text);
}

std::string json_lsn(const std::optional<pgoutput::Lsn>& lsn) {
    return lsn ? json_string(to_string(*lsn)) : "null";
}

template <typename Number>
std::string json_number(const std::optional<Number>& number) {
    return number ? fmt::format("{}", *number) : "null";
}

std::string json_seconds(const std::optional<double>& seconds) {
    return seconds ? fmt::format("{:.3f}", *seconds) : "null";
}

std::string json_slot(const StatusReport& report) {
    if (!report.slot) {
        return fmt::format(R"({{"name": {}, "exists": false}})", json_string(report.slot_name));
    }
    const auto& slot = *report.slot;
    return fmt::format(
        "{{\"name\": {}, \"exists\": true, \"active\": {}, \"restart_lsn\": {}, "
        "\"confirmed_flush_lsn\": {}, \"wal_status\": {}, \"invalidation_reason\": {}, "
        "\"retained_bytes\": {}, \"safe_wal_bytes\": {}}}",
        json_string(slot.name),
        slot.active,
        json_lsn(slot.restart_lsn),
        json_lsn(slot.confirmed_flush_lsn),
        json_text(slot.wal_status),
        json_text(slot.invalidation_reason),
        json_number(report.retained_bytes),
        json_number(slot.safe_wal_bytes)
    );
}

std::string json_table(const TableReport& table) {
    return fmt::format(
        "{{\"source\": {}, \"history\": {}, \"state\": {}, \"rows_copied\": {}, "
        "\"consistent_from\": {}}}",
        json_string(table.source),
        json_string(table.history),
        json_string(table.state),
        json_number(table.rows_copied),
        json_lsn(table.consistent_from)
    );
}

std::string json_quarantine(const QuarantineReport& quarantine) {
    return fmt::format(
        "{{\"table\": {}, \"from_lsn\": {}, \"since\": {}, \"message\": {}, \"detail\": {}, "
        "\"hint\": {}, \"released\": {}}}",
        json_string(quarantine.table),
        json_lsn(quarantine.from),
        json_string(quarantine.since),
        json_string(quarantine.message),
        json_text(quarantine.detail),
        json_text(quarantine.hint),
        quarantine.released
    );
}

std::string json_gap(const GapReport& gap) {
    return fmt::format(
        "{{\"id\": {}, \"table\": {}, \"from_lsn\": {}, \"to_lsn\": {}, \"reason\": {}, "
        "\"detail\": {}, \"created_at\": {}}}",
        gap.id,
        json_text(gap.table),
        json_lsn(gap.from),
        json_lsn(gap.to),
        json_string(gap.reason),
        json_text(gap.detail),
        json_string(gap.created_at)
    );
}

std::string json_kept(const KeptReport& kept) {
    return fmt::format(
        "{{\"purpose\": {}, \"name\": {}, \"slot\": {}, \"state\": {}, \"position\": {}, "
        "\"retained_bytes\": {}}}",
        json_string(kept.purpose),
        json_text(kept.name),
        json_string(kept.slot),
        json_text(kept.state),
        json_lsn(kept.position),
        json_number(kept.retained_bytes)
    );
}

void print_line(std::ostream& out, std::string_view name, const std::string& value) {
    if (!value.empty()) out << fmt::format("{:<10} {}\n", name, one_line(value));
}

void print_health(std::ostream& out, const std::string& health, bool colours) {
    if (health.empty()) return;
    const auto style = health == "green"     ? Style::green
                       : health == "unknown" ? Style::yellow
                                             : Style::red;
    out << fmt::format("{:<10} {}\n", "health", styled(health, style, colours));
}

std::string lag_text(const StatusReport& report) {
    std::string text;
    if (report.lag_bytes) text = bytes_text(*report.lag_bytes);
    if (report.lag_seconds) {
        text += fmt::format("{}{:.1f} s", text.empty() ? "" : ", ", *report.lag_seconds);
    }
    return text;
}

std::string slot_text(const StatusReport& report) {
    if (!report.slot) {
        return report.source_error.empty() ? report.slot_name + ": does not exist" : "";
    }
    const auto& slot = *report.slot;
    std::string text = fmt::format(
        "{}: {}, confirmed {}",
        slot.name,
        slot.active ? "active" : "inactive",
        to_string(slot.confirmed_flush_lsn)
    );
    if (report.retained_bytes) text += ", retains " + bytes_text(*report.retained_bytes);
    if (!slot.wal_status.empty()) text += ", WAL " + slot.wal_status;
    if (slot.safe_wal_bytes && *slot.safe_wal_bytes >= 0) {
        text += ", " + bytes_text(static_cast<std::uint64_t>(*slot.safe_wal_bytes)) +
                " until it is lost";
    }
    if (!slot.invalidation_reason.empty()) text += ", lost: " + slot.invalidation_reason;
    return text;
}

std::string position_text(const StatusReport& report) {
    if (!report.position) return {};
    std::string text = to_string(*report.position);
    if (report.source_position) text += ", source at " + to_string(*report.source_position);
    if (!report.last_commit_time.empty()) text += ", last commit " + report.last_commit_time;
    return text;
}

std::string lsn_cell(const std::optional<pgoutput::Lsn>& lsn) {
    return lsn ? to_string(*lsn) : std::string{};
}

void print_tables(const StatusReport& report, std::ostream& out, bool colours) {
    AlignedTable table{{"table", "history", "state", "rows copied", "consistent from"}};
    for (const TableReport& row : report.tables) {
        table.add(
            {row.source,
             row.history,
             row.state,
             row.rows_copied ? std::to_string(*row.rows_copied) : "",
             lsn_cell(row.consistent_from)}
        );
    }
    out << '\n';
    table.print(out, colours);
}

void print_quarantines(const StatusReport& report, std::ostream& out, bool colours) {
    AlignedTable table{{"quarantine of", "from", "since", "state", "message"}};
    for (const QuarantineReport& row : report.quarantines) {
        table.add(
            {row.table,
             to_string(row.from),
             row.since,
             row.released ? "released" : "left behind",
             row.message}
        );
    }
    out << '\n';
    table.print(out, colours);
}

void print_gaps(const StatusReport& report, std::ostream& out, bool colours) {
    AlignedTable table{{"gap", "in", "from", "to", "reason", "detail", "since"}};
    for (const GapReport& gap : report.gaps) {
        table.add(
            {std::to_string(gap.id),
             gap.table.empty() ? "every table" : gap.table,
             to_string(gap.from),
             to_string(gap.to),
             gap.reason,
             gap.detail,
             gap.created_at}
        );
    }
    out << '\n';
    table.print(out, colours);
}

void print_kept(const StatusReport& report, std::ostream& out, bool colours) {
    AlignedTable table{{"kept for", "position", "retains", "WAL", "slot"}};
    for (const KeptReport& kept : report.kept) {
        table.add(
            {kept.name.empty() ? kept.purpose : kept.purpose + " " + kept.name,
             lsn_cell(kept.position),
             kept.retained_bytes ? bytes_text(*kept.retained_bytes) : "",
             kept.state,
             kept.slot}
        );
    }
    out << '\n';
    table.print(out, colours);
}

}  // namespace

std::string health_of_history(const StatusReport& report) {
    if (!report.target_error.empty()) return {};
    return report.gaps.empty() && report.quarantines.empty() ? "green" : "red";
}

std::string health_of(const StatusReport& report) {
    auto health = health_of_history(report);
    if (health != "green") return health;
    if (!report.obstacle.empty()) return "red";
    return report.source_error.empty() ? health : "unknown";
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024.0 && unit + 1 < units.size(); ++unit) value /= 1024.0;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units.at(unit));
}

void print_text(const StatusReport& report, std::ostream& out, bool colours) {
    print_line(out, "pipeline", report.pipeline);
    std::string state = report.state;
    if (!report.lock_holder.empty()) state += ", by " + report.lock_holder;
    print_line(out, "state", state);
    print_health(out, health_of(report), colours);
    print_line(out, "obstacle", report.obstacle);
    print_line(
        out, "target", report.target_error.empty() ? "" : "cannot be asked: " + report.target_error
    );
    print_line(
        out, "source", report.source_error.empty() ? "" : "cannot be asked: " + report.source_error
    );
    print_line(out, "lag", lag_text(report));
    print_line(out, "position", position_text(report));
    print_line(
        out,
        "rate",
        report.rows_per_second ? fmt::format("{:.0f} rows/s", *report.rows_per_second) : ""
    );
    print_line(out, "slot", slot_text(report));
    print_line(
        out, "holds back", report.hold_back.empty() ? "" : report.hold_back + ", for replay"
    );
    if (report.replay_from && report.replay_until) {
        print_line(
            out,
            "replay",
            fmt::format(
                "set back to {}, up to {}",
                to_string(*report.replay_from),
                to_string(*report.replay_until)
            )
        );
    }
    const auto left_behind = report.quarantines.size();
    print_line(out, "quarantine", left_behind == 0 ? "" : std::to_string(left_behind));
    print_line(out, "gaps", report.target_error.empty() ? std::to_string(report.gaps.size()) : "");
    if (!report.tables.empty()) print_tables(report, out, colours);
    if (!report.quarantines.empty()) print_quarantines(report, out, colours);
    if (!report.gaps.empty()) print_gaps(report, out, colours);
    if (!report.kept.empty()) print_kept(report, out, colours);
}

void print_csv(const StatusReport& report, std::ostream& out) {
    std::string text;
    const auto line = [&](const char* name, const reading::Value& value) {
        reading::append_csv_line(text, {name, value});
    };
    const auto word = [](const std::string& value) {
        return value.empty() ? reading::Value{} : reading::Value{value};
    };
    const auto position = [](const std::optional<pgoutput::Lsn>& lsn) {
        return lsn ? reading::Value{to_string(*lsn)} : reading::Value{};
    };
    const auto number = [](const auto& value) {
        return value ? reading::Value{fmt::format("{}", *value)} : reading::Value{};
    };
    const auto decimal = [](const std::optional<double>& value) {
        return value ? reading::Value{fmt::format("{:.3f}", *value)} : reading::Value{};
    };
    line("name", "value");
    line("pipeline", report.pipeline);
    line("state", report.state);
    line("health", word(health_of(report)));
    line("obstacle", word(report.obstacle));
    line("lock_holder", word(report.lock_holder));
    line("target_error", word(report.target_error));
    line("source_error", word(report.source_error));
    line("position", position(report.position));
    line("last_commit_end", position(report.last_commit_end));
    line("last_commit_time", word(report.last_commit_time));
    line("updated_at", word(report.updated_at));
    line("source_position", position(report.source_position));
    line("lag_bytes", number(report.lag_bytes));
    line("lag_seconds", decimal(report.lag_seconds));
    line("rows_per_second", decimal(report.rows_per_second));
    line("retained_bytes", number(report.retained_bytes));
    out << text;
}

void print_json(const StatusReport& report, std::ostream& out) {
    out << fmt::format(
        "{{\"pipeline\": {}, \"state\": {}, \"health\": {}, \"obstacle\": {}, "
        "\"lock_holder\": {}, "
        "\"target_error\": {}, \"source_error\": {}, ",
        json_string(report.pipeline),
        json_string(report.state),
        json_text(health_of(report)),
        json_text(report.obstacle),
        json_text(report.lock_holder),
        json_text(report.target_error),
        json_text(report.source_error)
    );
    out << fmt::format(
        "\"position\": {}, \"last_commit_end\": {}, \"last_commit_time\": {}, \"updated_at\": {}, "
        "\"source_position\": {}, \"lag_bytes\": {}, \"lag_seconds\": {}, "
        "\"rows_per_second\": {}, ",
        json_lsn(report.position),
        json_lsn(report.last_commit_end),
        json_text(report.last_commit_time),
        json_text(report.updated_at),
        json_lsn(report.source_position),
        json_number(report.lag_bytes),
        json_seconds(report.lag_seconds),
        json_seconds(report.rows_per_second)
    );
    out << fmt::format(
        "\"slot\": {}, \"hold_back\": {}, \"replay_from\": {}, \"replay_until\": {}, "
        "\"tables\": {}, \"quarantines\": {}, \"gaps\": {}, \"kept\": {}}}\n",
        json_slot(report),
        json_text(report.hold_back),
        json_lsn(report.replay_from),
        json_lsn(report.replay_until),
        json_list(report.tables, json_table),
        json_list(report.quarantines, json_quarantine),
        json_list(report.gaps, json_gap),
        json_list(report.kept, json_kept)
    );
}

}  // namespace pgchronicle::commands
