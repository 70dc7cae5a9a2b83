#include "replicator/preflight.hpp"

#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"

namespace pgchronicle::replicator {

std::string shown(std::string_view name) {
    return '"' + std::string{name} + '"';
}

std::string shown(std::string_view schema, std::string_view name) {
    return shown(std::string{schema} + '.' + std::string{name});
}

std::string shown_list(const std::vector<std::string>& items) {
    constexpr std::size_t items_shown_max = 8;
    std::string text;
    const std::size_t count = items.size() <= items_shown_max ? items.size() : items_shown_max - 1;
    for (std::size_t i = 0; i < count; ++i) {
        const bool last = i + 1 == items.size();
        if (i > 0) text += last ? " and " : ", ";
        text += items[i];
    }
    if (count < items.size()) text += " and " + std::to_string(items.size() - count) + " more";
    return text;
}

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += ", ";
        text += item;
    }
    return text;
}

std::string counted(std::size_t count, std::string_view noun) {
    return std::to_string(count) + ' ' + std::string{noun} + (count == 1 ? "" : "s");
}

std::string sql_to_drop(const std::string& slot) {
    return "SELECT pg_drop_replication_slot(" + pq::quote_literal(slot) + ");";
}

std::vector<history_writer::HistoryTable> planned_tables(const Facts& facts) {
    std::vector<history_writer::HistoryTable> planned;
    if (!facts.source) return planned;
    const auto types = facts.target ? facts.target->types : history_writer::TargetTypes{};
    for (const auto& table : facts.source->tables) {
        if (!history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        planned.push_back(history_writer::plan_history_table(table, facts.settings, types));
    }
    return planned;
}

std::vector<Problem> preflight(const Facts& facts) {
    std::vector<Problem> problems;
    if (facts.source_failure) {
        judge_failure(Side::source, *facts.source_failure, facts.source_peer, problems);
    }
    if (facts.source) {
        judge_server(facts, problems);
        judge_slot(facts, problems);
        judge_publications(facts, problems);
        judge_selection(facts, problems);
        judge_tables(facts, problems);
    }
    judge_transport(Side::source, facts.source_peer, problems);
    if (facts.target_failure) {
        judge_failure(Side::target, *facts.target_failure, facts.target_peer, problems);
    }
    if (facts.target) judge_target(facts, problems);
    if (facts.source && facts.target) judge_kept_slots(facts, problems);
    judge_transport(Side::target, facts.target_peer, problems);
    if (!facts.spool_error.empty()) {
        problems.push_back({
            .where = Side::configuration,
            .what = "could not write to spool_dir " + shown(facts.settings.spool_dir) + ": " +
                    facts.spool_error,
            .detail = "Transactions that do not fit in memory wait there for their commit.",
        });
    }
    return problems;
}

}  // namespace pgchronicle::replicator
