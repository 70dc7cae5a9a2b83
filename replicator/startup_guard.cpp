#include "replicator/startup_guard.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::replicator {

using pgoutput::to_string;

namespace {

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

std::string listed(const std::vector<std::string>& names) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + quoted(name);
    return list;
}

std::optional<NeedsOperator> identity_refusal(const StartupFacts& facts) {
    const auto& stored = facts.checkpoint->source;
    std::string differences;
    const auto compare = [&](const char* what, const std::string& then, const std::string& now) {
        if (then == now) return;
        differences += std::string{differences.empty() ? "" : " "} + "The checkpoint's " + what +
                       " is " + then + ", the source's is " + now + ".";
    };
    compare("system identifier", stored.system_identifier, facts.server.system_identifier);
    compare("database", quoted(stored.database), quoted(facts.server.database));
    compare("slot", quoted(stored.slot), quoted(facts.slot_name));
    compare("timeline", std::to_string(stored.timeline), std::to_string(facts.server.timeline));
    if (differences.empty()) return std::nullopt;
    return NeedsOperator{
        "checkpoint of pipeline " + quoted(facts.pipeline) + " belongs to another source",
        differences,
        "Connect to the source that the history came from, or give this one a pipeline of its "
        "own."};
}

/// Publications may join: their tables are copied. One that goes takes tables along unnoticed.
std::optional<NeedsOperator> narrowing_refusal(const StartupFacts& facts) {
    const auto& configured = facts.publication_names;
    const auto& stored = facts.checkpoint->source.publications;
    const auto gone = std::find_if(stored.begin(), stored.end(), [&](const auto& name) {
        return std::find(configured.begin(), configured.end(), name) == configured.end();
    });
    if (gone == stored.end()) return std::nullopt;
    return NeedsOperator{
        "publication " + quoted(*gone) + " is not configured any more",
        "The checkpoint of pipeline " + quoted(facts.pipeline) + " was written with " +
            listed(stored) + ", and source.publication names " + listed(configured) +
            ": changes of tables that only the former publish would be missing in the history.",
        "Name it in source.publication again. Tables whose history shall end can be left out with "
        "tables.exclude."};
}

void check_slot(const StartupFacts& facts) {
    const auto& slot = *facts.slot;
    if (slot.plugin != "pgoutput") {
        throw NeedsOperator{
            "replication slot " + quoted(slot.name) + " cannot be read",
            "Its plugin is " + quoted(slot.plugin) + ", and pgoutput is needed.",
            "Name a logical slot with the plugin pgoutput."};
    }
    if (slot.database != facts.server.database) {
        throw NeedsOperator{
            "replication slot " + quoted(slot.name) + " belongs to another database",
            "It is of database " + quoted(slot.database) + ", connected is " +
                quoted(facts.server.database) + ".",
            "Connect to that database, or name a slot of this one."};
    }
    if (slot.wal_status == "lost" || !slot.invalidation_reason.empty()) {
        throw NeedsOperator{
            "replication slot " + quoted(slot.name) + " is lost",
            "The source has removed WAL that it needs" +
                (slot.invalidation_reason.empty() ? std::string{"."}
                                                  : " (" + slot.invalidation_reason + ")."),
            "Changes since the checkpoint cannot be read any more."};
    }
}

void check_publications(const StartupFacts& facts) {
    for (const auto& name : facts.publication_names) {
        const auto found =
            std::find_if(facts.publications.begin(), facts.publications.end(), [&](const auto& p) {
                return p.name == name;
            });
        if (found == facts.publications.end()) {
            throw NeedsOperator{
                "publication " + quoted(name) + " does not exist",
                "Without it the source sends nothing, or stops the stream.",
                "Create it on the source, or correct source.publication."};
        }
        if (!operations_left_out(*found).empty()) {
            throw NeedsOperator{
                "publication " + quoted(name) + " does not publish every operation",
                "Changes that it leaves out would be missing in the history.",
                "ALTER PUBLICATION " + quoted(name) +
                    " SET (publish = 'insert, update, delete, truncate');"};
        }
    }
}

}  // namespace

std::vector<std::string> operations_left_out(const source_catalog::Publication& publication) {
    std::vector<std::string> operations;
    if (!publication.inserts) operations.emplace_back("insert");
    if (!publication.updates) operations.emplace_back("update");
    if (!publication.deletes) operations.emplace_back("delete");
    if (!publication.truncates) operations.emplace_back("truncate");
    return operations;
}

std::optional<NeedsOperator> checkpoint_refusal(const StartupFacts& facts) {
    if (!facts.checkpoint) {
        if (facts.history_empty) return std::nullopt;
        return NeedsOperator{
            "checkpoint of pipeline " + quoted(facts.pipeline) + " is missing beside its history",
            "The history tables hold rows, and pgchronicle.checkpoint does not say up to where.",
            "Restore the row, or move the history aside to start anew."};
    }
    if (auto refusal = identity_refusal(facts)) return refusal;
    return narrowing_refusal(facts);
}

std::optional<NeedsOperator> position_refusal(const StartupFacts& facts) {
    if (!facts.checkpoint) return std::nullopt;
    const auto position = facts.checkpoint->position;
    if (facts.slot && facts.slot->confirmed_flush_lsn > position) {
        return NeedsOperator{
            "slot is ahead of the checkpoint: changes between them would be missing",
            "The checkpoint of pipeline " + quoted(facts.pipeline) + " is at " +
                to_string(position) + ", slot " + quoted(facts.slot->name) + " has confirmed " +
                to_string(facts.slot->confirmed_flush_lsn) + ".",
            "The target was set back, or somebody else read the slot. If the range may be lost, "
            "\"pgchronicle repair skip\" passes it and records the gap."};
    }
    if (position > facts.server.flush_lsn) {
        return NeedsOperator{
            "checkpoint is ahead of the source: changes would be withheld",
            "The checkpoint of pipeline " + quoted(facts.pipeline) + " is at " +
                to_string(position) + ", the source has written up to " +
                to_string(facts.server.flush_lsn) + ".",
            "The source was set back, or this is not the one that the history came from."};
    }
    return std::nullopt;
}

Startup check_startup(const StartupFacts& facts) {
    if (auto refusal = checkpoint_refusal(facts)) throw std::move(*refusal);
    check_publications(facts);
    if (!facts.slot) {
        if (!facts.checkpoint && facts.may_create_slot) return Startup::create_slot;
        throw NeedsOperator{
            "replication slot " + quoted(facts.slot_name) + " does not exist",
            facts.checkpoint ? "The checkpoint is at " + to_string(facts.checkpoint->position) +
                                   "; a new slot would begin after it and miss what lies between."
                             : "The source has no slot of that name.",
            facts.checkpoint ? "Restore the slot."
                             : "SELECT pg_create_logical_replication_slot('" + facts.slot_name +
                                   "', 'pgoutput'); or set source.create_slot: if_missing."};
    }
    check_slot(facts);
    if (!facts.checkpoint) return Startup::first_run;
    if (auto refusal = position_refusal(facts)) throw std::move(*refusal);
    return Startup::go_on;
}

}  // namespace pgchronicle::replicator
