#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"
#include "replicator/slot_commands.hpp"
#include "replicator/startup_guard.hpp"

#include <algorithm>

// The source's server and role, the slot, and whether there is room for what `run` opens.

namespace pgchronicle::replicator {
namespace {

using Problems = std::vector<Problem>;

/// Servers from here on decode on a standby too.
constexpr int decoding_on_standby_version = 160000;

std::string create_slot_sql(const std::string& slot) {
    return "SELECT pg_create_logical_replication_slot(" + pq::quote_literal(slot) +
           ", 'pgoutput');";
}

bool initial_copy_due(const Facts& facts) {
    const bool first_run = !facts.target || !facts.target->checkpoint;
    return facts.settings.snapshot == config::Snapshot::initial && first_run;
}

void judge_version(const source_catalog::Server& server, Problems& problems) {
    if (server.version < server_version_min) {
        problems.push_back({
            .what = "source server is older than PostgreSQL 14",
            .detail = "Its version number is " + std::to_string(server.version) + ".",
            .hint = "Upgrade the source; 14 to 18 are supported.",
        });
    }
    if (!server.in_recovery) return;
    const bool possible = server.version >= decoding_on_standby_version;
    problems.push_back({
        .severity = possible ? Severity::warning : Severity::fatal,
        .what = "source server is a standby",
        .detail = possible
                      ? "Decoding there works, but a slot can be invalidated by the primary at any "
                        "time, and creating one waits for the primary to log its transactions."
                      : "Logical decoding on a standby needs PostgreSQL 16 or later.",
        .hint = "Connect to the primary: \"target_session_attrs=read-write\" in the DSN finds it "
                "among several hosts.",
    });
}

void judge_wal_level(const source_catalog::Server& server, Problems& problems) {
    if (server.wal_level == "logical") return;
    problems.push_back({
        .what = "wal_level of the source is " + shown(server.wal_level) + ", not \"logical\"",
        .detail = "Without it the WAL does not hold what logical decoding needs.",
        .hint = "Restart the server afterwards. Changes made before the restart cannot be decoded.",
        .mending_sql = "ALTER SYSTEM SET wal_level = 'logical';  -- restart the server",
    });
}

void judge_two_phase(const Facts& facts, Problems& problems) {
    const auto& slot = facts.source->slot;
    if (facts.source->server.version >= two_phase_version) return;
    if (!facts.settings.source.two_phase && !(slot && slot->two_phase)) return;
    problems.push_back({
        .what = "source.two_phase needs a source of PostgreSQL 15 or later",
        .detail = "Before, pgoutput cannot send prepared transactions.",
        .hint = "Remove the key, and use a slot without it; prepared transactions come with their "
                "COMMIT PREPARED then.",
    });
}

/// Why a role that seems to have REPLICATION through another has not.
std::string explain_membership(const source_catalog::Server& server) {
    const std::string role = shown(server.role);
    std::string text;
    if (!server.replication_through.empty()) {
        const std::string& granted = server.replication_through.front();
        text += " Role " + role + " is a member of " + shown(granted) +
                ", which has it, but REPLICATION is an attribute, and attributes are never "
                "inherited.";
    }
    if (!server.replication_members.empty()) {
        const std::string& member = server.replication_members.front();
        text += " Role " + shown(member) + " has it and is a member of " + role +
                ", not the other way round: \"CREATE USER " + server.role + " WITH ROLE " + member +
                "\" makes " + shown(member) + " a member of " + role +
                ". Even a membership the other way would not help, for REPLICATION is an attribute "
                "and never inherited.";
    }
    return text;
}

/// Judged by the attempt, not by the attribute alone: managed servers may grant the right in ways
/// of their own.
void judge_replication_right(const SourceFacts& source, Problems& problems) {
    const auto& server = source.server;
    if (!source.replication_failure) return;
    const Failure& failure = *source.replication_failure;
    if (failure.sqlstate == "53300") return;  // judge_capacity tells.
    if (!server.superuser && !server.replication) {
        problems.push_back({
            .what = "role " + shown(server.role) + " does not have REPLICATION",
            .detail =
                "Only a role with that attribute may read a slot." + explain_membership(server),
            .mending_sql = "ALTER ROLE " + pq::quote_identifier(server.role) + " REPLICATION;",
        });
        return;
    }
    problems.push_back({
        .what = "could not open a replication connection to the source: " + failure.primary,
        .detail = failure.detail,
        .hint = failure.hint.empty() ? "A plain connection works; the server's pg_hba.conf and "
                                       "any pooler in between must let replication pass, too."
                                     : failure.hint,
    });
}

void judge_capacity(const Facts& facts, Problems& problems) {
    const auto& source = *facts.source;
    const bool streaming = source.slot && source.slot->active;
    // The initial copy holds a slot and a sender of its own for as long as it runs.
    const std::int64_t copy = initial_copy_due(facts) ? 1 : 0;
    const std::int64_t slots = copy + (source.slot ? 0 : 1);
    const std::int64_t senders = copy + (streaming ? 0 : 1);
    const auto judge = [&](const Capacity& capacity, std::int64_t needed, const char* setting) {
        const std::int64_t left = capacity.limit - capacity.used;
        if (needed <= left) return;
        problems.push_back({
            .what = std::string{setting} + " of the source is too low",
            .detail = std::to_string(capacity.used) + " of " + std::to_string(capacity.limit) +
                      " are in use, and " + std::to_string(needed) + " more are needed.",
            .hint = "Restart the server afterwards, or drop what is not used any more.",
            .mending_sql = std::string{"ALTER SYSTEM SET "} + setting + " = " +
                           std::to_string(capacity.used + needed + 4) + ";  -- restart the server",
        });
    };
    judge(source.replication_slots, slots, "max_replication_slots");
    judge(source.wal_senders, senders, "max_wal_senders");
}

void judge_retention(const SourceFacts& source, Problems& problems) {
    if (source.slot_keep_mib < 0) {
        problems.push_back({
            .severity = Severity::note,
            .what = "max_slot_wal_keep_size of the source is not limited",
            .detail = "While pgchronicle is stopped, the slot keeps WAL until the disk is full.",
            .hint = "With a limit the source stays up, and the slot is lost instead; watch the lag "
                    "in any case.",
        });
    }
    if (source.slot_idle_limit_s > 0) {
        problems.push_back({
            .severity = Severity::warning,
            .what = "idle_replication_slot_timeout of the source is set",
            .detail = "A slot that nobody reads for " + std::to_string(source.slot_idle_limit_s) +
                      " s is invalidated: so long pgchronicle may be stopped.",
            .mending_sql = "ALTER SYSTEM SET idle_replication_slot_timeout = 0;\n"
                           "SELECT pg_reload_conf();",
        });
    }
}

/// Whether a slot that is lost is made anew.
bool reconciles(const Facts& facts) {
    return facts.settings.source.on_slot_lost == config::OnSlotLost::reconcile && facts.target &&
           facts.target->checkpoint;
}

constexpr const char* reconcile_promise =
    "It compares every table with the source, and records what lies between as a gap.";

void judge_missing_slot(const Facts& facts, Problems& problems) {
    const std::string& name = facts.settings.source.slot;
    const std::string what = "replication slot " + shown(name) + " does not exist";
    if (reconciles(facts)) {
        problems.push_back({
            .severity = Severity::warning,
            .what = what,
            .detail = "\"run\" makes another one. " + std::string{reconcile_promise},
        });
        return;
    }
    if (facts.target && facts.target->checkpoint) {
        problems.push_back({
            .what = what,
            .detail = "The target has history up to " +
                      to_string(facts.target->checkpoint->position) +
                      "; a new slot would begin later, and what lies between would be missing "
                      "silently.",
            .hint = std::string{"Find out who dropped it. "} + reconcile_hint,
        });
        return;
    }
    if (facts.settings.source.create_slot == config::CreateSlot::if_missing) {
        problems.push_back({
            .severity = Severity::note,
            .what = what,
            .detail = "\"run\" creates it, since create_slot says so; history begins there.",
        });
        return;
    }
    std::string hint = "Or set create_slot to if_missing, and \"run\" creates it.";
    if (facts.source->similar_slot) {
        hint = "Perhaps you meant " + shown(*facts.source->similar_slot) + ". " + hint;
    }
    problems.push_back({
        .what = what,
        .detail = {},
        .hint = std::move(hint),
        .mending_sql = create_slot_sql(name),
    });
}

void judge_slot_kind(const Facts& facts, const source_catalog::Slot& slot, Problems& problems) {
    const std::string& database = facts.source->server.database;
    if (slot.plugin != "pgoutput") {
        problems.push_back({
            .what = slot.plugin.empty()
                        ? "replication slot " + shown(slot.name) + " is a physical one"
                        : "replication slot " + shown(slot.name) + " uses plugin " +
                              shown(slot.plugin) + ", not \"pgoutput\"",
            .detail = "A slot's plugin cannot be changed.",
            .hint = "If somebody else uses it, configure another slot; if not, replace it.",
            .mending_sql = sql_to_drop(slot.name) + "\n" + create_slot_sql(slot.name),
        });
    } else if (slot.database != database) {
        problems.push_back({
            .what = "replication slot " + shown(slot.name) + " belongs to database " +
                    shown(slot.database) + ", not " + shown(database),
            .detail = "A slot decodes the database that it was created in.",
            .hint = "Configure dbname=" + slot.database +
                    " if that is the database you mean, or another slot. A new one is created "
                    "while connected to " +
                    shown(database) + ".",
            .mending_sql = create_slot_sql(slot.name + "_2"),
        });
    }
}

void judge_lost_slot(const Facts& facts, const source_catalog::Slot& slot, Problems& problems) {
    const std::string reason =
        slot.invalidation_reason.empty() ? "wal_removed" : slot.invalidation_reason;
    Problem lost{
        .what = "replication slot " + shown(slot.name) + " is lost",
        .detail = "The source invalidated it: " + reason + ". Changes after " +
                  to_string(slot.confirmed_flush_lsn) + " cannot be decoded any more.",
    };
    if (reconciles(facts)) {
        lost.severity = Severity::warning;
        lost.detail += " \"run\" makes another one. " + std::string{reconcile_promise};
    } else if (facts.target && facts.target->checkpoint) {
        // Another slot alone would be ahead of the checkpoint, and refused.
        lost.hint =
            "Raise the limit that it fell to (max_slot_wal_keep_size, "
            "idle_replication_slot_timeout), then start \"run\" with source.on_slot_lost: "
            "reconcile: it makes the slot anew, compares every table with the source, and records "
            "what lies "
            "between as a gap. To compare nothing: drop the slot, create it again, and pass the "
            "range with \"pgchronicle repair skip --reason '...'\".";
    } else {
        lost.hint =
            "Raise the limit that it fell to (max_slot_wal_keep_size, "
            "idle_replication_slot_timeout), then replace the slot; history begins there.";
        lost.mending_sql = sql_to_drop(slot.name) + "\n" + create_slot_sql(slot.name);
    }
    problems.push_back(std::move(lost));
}

void judge_slot_state(const Facts& facts, const source_catalog::Slot& slot, Problems& problems) {
    if (slot.lost()) {
        judge_lost_slot(facts, slot, problems);
        return;
    }
    if (slot.wal_status == "unreserved") {
        problems.push_back({
            .severity = Severity::warning,
            .what = "replication slot " + shown(slot.name) + " is about to be lost",
            .detail = "It retains more WAL than max_slot_wal_keep_size allows.",
            .hint = "Start pgchronicle at once, or raise the limit.",
            .mending_sql =
                "ALTER SYSTEM SET max_slot_wal_keep_size = -1;\nSELECT pg_reload_conf();",
        });
    }
    if (!slot.active) return;
    const std::string ours = "pgchronicle " + facts.settings.pipeline + " ";
    if (facts.source->slot_user.starts_with(ours)) {
        problems.push_back({
            .severity = Severity::note,
            .what = "the pipeline is running",
            .detail = shown(facts.source->slot_user) + " reads replication slot " +
                      shown(slot.name) + ".",
        });
        return;
    }
    problems.push_back({
        .what = "replication slot " + shown(slot.name) + " is in use",
        .detail = "Process " + std::to_string(slot.active_pid) + " reads it" +
                  (facts.source->slot_user.empty() ? "" : ": " + shown(facts.source->slot_user)) +
                  ".",
        .hint = "Each reader needs a slot of its own. End that process if it should not be there.",
        .mending_sql = "SELECT pg_terminate_backend(" + std::to_string(slot.active_pid) + ");",
    });
}

void judge_slot_probe(const Facts& facts, const source_catalog::Slot& slot, Problems& problems) {
    switch (facts.source->probe) {
    case SlotProbe::not_tried:
    case SlotProbe::readable:
        return;
    case SlotProbe::undecided:
        problems.push_back({
            .severity = Severity::note,
            .what = "replication slot " + shown(slot.name) + " could not be tried to the end",
            .detail = "Many changes wait in it, and the first of them took too long to decode.",
        });
        return;
    case SlotProbe::publication_unknown:
        problems.push_back({
            .what = "replication slot " + shown(slot.name) + " is older than the publication",
            .detail = "Changes that wait in it from " + to_string(slot.confirmed_flush_lsn) +
                      " on were made before the publication existed, and the server decodes them "
                      "with the catalog of that time: PostgreSQL 17 and older fail for ever, 18 "
                      "passes over them silently.",
            .hint = "Pass them, which is recorded as a gap: pgchronicle repair skip --reason "
                    "'slot is older than its publication'",
        });
        return;
    }
}

}  // namespace

void judge_server(const Facts& facts, Problems& problems) {
    const auto& source = *facts.source;
    judge_version(source.server, problems);
    judge_wal_level(source.server, problems);
    judge_two_phase(facts, problems);
    judge_replication_right(source, problems);
    judge_capacity(facts, problems);
    judge_retention(source, problems);
}

void judge_slot(const Facts& facts, Problems& problems) {
    const auto& slot = facts.source->slot;
    if (!slot) {
        judge_missing_slot(facts, problems);
        return;
    }
    judge_slot_kind(facts, *slot, problems);
    judge_slot_state(facts, *slot, problems);
    judge_slot_probe(facts, *slot, problems);
}

}  // namespace pgchronicle::replicator
