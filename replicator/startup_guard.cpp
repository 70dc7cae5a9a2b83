#include "replicator/startup_guard.hpp"

#include "pq/quoting.hpp"

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
        "own. If it is the same one, moved, upgraded or failed over, \"pgchronicle repair "
        "accept-source\" takes it over."};
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

void check_slot_kind(const StartupFacts& facts) {
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
}

void check_slot_state(const StartupFacts& facts) {
    if (!facts.slot) {
        throw NeedsOperator{
            "replication slot " + quoted(facts.slot_name) + " does not exist",
            facts.checkpoint ? "The checkpoint is at " + to_string(facts.checkpoint->position) +
                                   "; a new slot would begin after it and miss what lies between."
                             : "The source has no slot of that name.",
            facts.checkpoint ? std::string{reconcile_hint}
                             : "SELECT pg_create_logical_replication_slot(" +
                                   pq::quote_literal(facts.slot_name) +
                                   ", 'pgoutput'); or set source.create_slot: if_missing."};
    }
    const auto& slot = *facts.slot;
    if (!slot.lost()) return;
    throw NeedsOperator{
        "replication slot " + quoted(slot.name) + " is lost",
        "The source has removed WAL that it needs" + (slot.invalidation_reason.empty()
                                                          ? std::string{"."}
                                                          : " (" + slot.invalidation_reason + ")."),
        std::string{"Changes since the checkpoint cannot be read any more. "} + reconcile_hint};
}

bool is_ahead(const StartupFacts& facts) {
    return facts.slot && facts.checkpoint &&
           facts.slot->confirmed_flush_lsn > facts.checkpoint->position;
}

std::optional<NeedsOperator> source_behind(const StartupFacts& facts) {
    const auto position = facts.checkpoint->position;
    if (position <= facts.server.flush_lsn) return std::nullopt;
    return NeedsOperator{
        "checkpoint is ahead of the source: changes would be withheld",
        "The checkpoint of pipeline " + quoted(facts.pipeline) + " is at " + to_string(position) +
            ", the source has written up to " + to_string(facts.server.flush_lsn) + ".",
        "The source was set back, or this is not the one that the history came from."};
}

/// What another slot would not mend. Asked before the one that is there is touched.
void check_reconcilable(const StartupFacts& facts) {
    // A comparison with an earlier state would write the past over what came after it.
    if (auto refusal = source_behind(facts)) throw std::move(*refusal);
    const auto& server = facts.server;
    if (facts.slot && !facts.slot->lost() && facts.slot->confirmed_flush_lsn > server.flush_lsn) {
        throw NeedsOperator{
            "slot is ahead of the source",
            "Slot " + quoted(facts.slot_name) + " has confirmed " +
                to_string(facts.slot->confirmed_flush_lsn) + ", the source has written up to " +
                to_string(server.flush_lsn) + ".",
            "The source was set back; the slot is from after that."};
    }
    if (server.wal_level != "logical") {
        throw NeedsOperator{
            "wal_level of the source is " + quoted(server.wal_level) + ", not \"logical\"",
            "No slot can be made in place of the one that is lost.",
            "ALTER SYSTEM SET wal_level = 'logical'; and restart the source."};
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
    if (auto refusal = source_behind(facts)) return refusal;
    if (!is_ahead(facts) || facts.may_reconcile) return std::nullopt;
    return NeedsOperator{
        "slot is ahead of the checkpoint: changes between them would be missing",
        "The checkpoint of pipeline " + quoted(facts.pipeline) + " is at " +
            to_string(facts.checkpoint->position) + ", slot " + quoted(facts.slot->name) +
            " has confirmed " + to_string(facts.slot->confirmed_flush_lsn) + ".",
        std::string{"The target was set back, or somebody else read the slot. If the range may be "
                    "lost, \"pgchronicle repair skip\" passes it and records the gap. "} +
            reconcile_hint};
}

std::string slot_loss(const StartupFacts& facts) {
    const auto name = "replication slot " + quoted(facts.slot_name);
    if (!facts.slot) return name + " does not exist";
    const auto& slot = *facts.slot;
    if (slot.lost()) {
        const auto& reason = slot.invalidation_reason;
        return name + " is lost" + (reason.empty() ? std::string{} : " (" + reason + ")");
    }
    if (!is_ahead(facts)) return {};
    return name + " has confirmed " + to_string(slot.confirmed_flush_lsn) +
           ", and the checkpoint is at " + to_string(facts.checkpoint->position);
}

Startup check_startup(const StartupFacts& facts) {
    if (auto refusal = checkpoint_refusal(facts)) throw std::move(*refusal);
    check_publications(facts);
    if (!facts.slot && !facts.checkpoint && facts.may_create_slot) return Startup::create_slot;
    if (facts.slot) check_slot_kind(facts);
    if (facts.checkpoint && facts.may_reconcile && !slot_loss(facts).empty()) {
        check_reconcilable(facts);
        return Startup::reconcile;
    }
    check_slot_state(facts);
    if (!facts.checkpoint) return Startup::first_run;
    if (auto refusal = position_refusal(facts)) throw std::move(*refusal);
    return Startup::go_on;
}

}  // namespace pgchronicle::replicator
