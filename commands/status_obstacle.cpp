#include "commands/status_obstacle.hpp"

#include "history_writer/history_table.hpp"
#include "history_writer/pg/table_state.hpp"
#include "pq/array_text.hpp"
#include "source_catalog/catalog.hpp"

namespace pgchronicle::commands {
namespace {

using pgoutput::Lsn;
using replicator::StartupFacts;

bool replays(const RunFacts& facts) {
    if (!facts.replay || !facts.replay->from) return false;
    const auto& checkpoint = facts.startup.checkpoint;
    return !checkpoint || checkpoint->position < facts.replay->until;
}

std::string startup_obstacle(const StartupFacts& facts) {
    try {
        (void)replicator::check_startup(facts);
        return {};
    } catch (const replicator::NeedsOperator& refusal) {
        return refusal.what();
    }
}

}  // namespace

RunFacts configured_facts(const config::Settings& settings) {
    RunFacts facts;
    facts.startup.pipeline = settings.pipeline;
    facts.startup.slot_name = settings.source.slot;
    facts.startup.publication_names = settings.source.publications;
    facts.startup.may_create_slot = settings.source.create_slot == config::CreateSlot::if_missing;
    return facts;
}

void read_startup(pq::Connection& target, const config::Settings& settings, RunFacts& facts) {
    auto& startup = facts.startup;
    const auto row = target.exec(
        "SELECT system_identifier, timeline, database_name, slot, publications, last_commit_end,"
        " position FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {settings.pipeline}
    );
    if (row.rows() == 0) {
        startup.history_empty = history_writer::pg::history_empty(target, settings.pipeline);
        return;
    }
    startup.history_empty = false;
    auto& checkpoint = startup.checkpoint.emplace();
    checkpoint.source.system_identifier = row.str(0, 0);
    checkpoint.source.timeline = static_cast<std::uint32_t>(row.int64(0, 1));
    checkpoint.source.database = row.str(0, 2);
    checkpoint.source.slot = row.str(0, 3);
    checkpoint.source.publications = pq::parse_array_text(row.text(0, 4));
    checkpoint.last_commit_end = pgoutput::parse_lsn(row.text(0, 5)).value_or(Lsn{});
    checkpoint.position = pgoutput::parse_lsn(row.text(0, 6)).value_or(Lsn{});
}

void read_slots(pq::Connection& source, const config::Settings& settings, RunFacts& facts) {
    facts.startup.slot = source_catalog::read_slot(source, settings.source.slot);
    facts.startup.publications =
        source_catalog::read_publications(source, settings.source.publications);
    if (facts.replay) facts.replay_slot = source_catalog::read_slot(source, facts.replay->slot);
}

std::string find_withdrawn(
    pq::Connection& source,
    const config::Settings& settings,
    const std::vector<TableReport>& tables
) {
    std::vector<std::string> followed;
    for (const auto& table : tables) {
        const bool goes_on = table.state == "copied" || table.state == "pending";
        const auto dot = table.source.find('.');
        if (!goes_on || dot == std::string::npos) continue;
        const auto schema = table.source.substr(0, dot);
        if (!history_writer::wanted(schema, table.source.substr(dot + 1), settings)) continue;
        followed.push_back(table.source);
    }
    if (followed.empty()) return {};
    // One that was dropped may rest. A partition is published as its root.
    const auto found = source.exec(
        "SELECT f.name FROM unnest($1::text[]) f(name)"
        " JOIN (SELECT n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition) t USING (name)"
        " EXCEPT SELECT p.schemaname || '.' || p.tablename"
        " FROM pg_catalog.pg_publication_tables p WHERE p.pubname = ANY ($2::text[])"
        " ORDER BY 1 LIMIT 1",
        {pq::array_text(followed), pq::array_text(settings.source.publications)}
    );
    return found.rows() == 0 ? std::string{} : found.str(0, 0);
}

std::string obstacle_of(const RunFacts& facts, bool asked) {
    if (!asked) {
        if (facts.startup.checkpoint) return {};
        const auto refusal = replicator::checkpoint_refusal(facts.startup);
        return refusal ? refusal->what() : std::string{};
    }
    auto startup = facts.startup;
    if (replays(facts)) {
        // It is streamed from a slot of its own, behind which the pipeline's is ahead.
        const auto& slot = facts.replay_slot;
        if (!slot || slot->lost()) {
            return "slot \"" + facts.replay->slot + "\" of the replay is " +
                   (slot ? "lost" : "gone");
        }
        startup.slot = slot;
    }
    auto obstacle = startup_obstacle(startup);
    if (!obstacle.empty() || facts.withdrawn.empty()) return obstacle;
    return "table \"" + facts.withdrawn + "\" is not published any more";
}

}  // namespace pgchronicle::commands
