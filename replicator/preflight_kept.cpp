#include "replicator/preflight_rules.hpp"
#include "replicator/slot_commands.hpp"

#include <algorithm>

// Slots that keep WAL beside the pipeline's own: whether they are still of use, and whether anybody
// knows of them.

namespace pgchronicle::replicator {
namespace {

using history_writer::KeptSlot;
using Problems = std::vector<Problem>;

const source_catalog::Slot* find_slot(const Facts& facts, const std::string& name) {
    const auto& slots = facts.source->made_slots;
    const auto found = std::ranges::find(slots, name, &source_catalog::Slot::name);
    return found == slots.end() ? nullptr : &*found;
}

/// "is gone" or "is lost"; empty while it can be read.
std::string trouble_of(const source_catalog::Slot* slot) {
    if (slot == nullptr) return "is gone";
    return slot->wal_status == "lost" || !slot->invalidation_reason.empty() ? "is lost" : "";
}

std::string keeps(const Facts& facts, const source_catalog::Slot& slot) {
    if (!slot.restart_lsn.valid()) return "It keeps no WAL.";
    const auto bytes = bytes_between(slot.restart_lsn, facts.source->server.flush_lsn);
    return "It keeps " + std::to_string(bytes >> 20U) + " MiB of WAL.";
}

void judge_bookmark(const Facts& facts, const KeptSlot& kept, Problems& problems) {
    const auto trouble = trouble_of(find_slot(facts, kept.slot));
    if (kept.position && trouble.empty()) return;
    problems.push_back({
        .severity = Severity::warning,
        .what = kept.position ? "bookmark " + shown(kept.name) + " is of no use any more"
                              : "bookmark " + shown(kept.name) + " was never finished",
        .detail = kept.position ? "Its slot " + shown(kept.slot) + " " + trouble + "." : "",
        .hint = "Drop it: pgchronicle bookmark drop " + kept.name + " --reason '...'",
    });
}

void judge_replay(const Facts& facts, const KeptSlot& kept, Problems& problems) {
    const auto trouble = trouble_of(find_slot(facts, kept.slot));
    const auto from = to_string(*kept.position);
    if (trouble.empty()) {
        problems.push_back({
            .severity = Severity::note,
            .what = "a replay from " + from + " is under way",
            .detail = "The history is not complete before it ends.",
            .hint = "\"run\" finishes it.",
        });
        return;
    }
    problems.push_back({
        .what = "slot " + shown(kept.slot) + " of the replay " + trouble,
        .detail = "The history was set back to " + from + ", and is not complete.",
        .hint = "Replay once more, from a bookmark that is still kept: \"pgchronicle bookmark "
                "list\".",
    });
}

void judge_copy(
    const Facts& facts,
    const KeptSlot& kept,
    const std::string& schema,
    Problems& problems
) {
    const auto* const slot = find_slot(facts, kept.slot);
    if (slot == nullptr) return;
    problems.push_back({
        .severity = Severity::note,
        .what = "the copy of the history in schema " + shown(schema) + " is not finished",
        .detail = keeps(facts, *slot),
        .hint = "Where nobody makes it now: \"replay --into " + schema +
                "\" makes it anew, and without its slot it is given up.",
        .mending_sql = sql_to_drop(kept.slot),
    });
}

/// Their rows were lost with an older state of the target, or they are of a target that is gone.
void judge_unknown_slots(const Facts& facts, Problems& problems) {
    constexpr std::size_t number_digits = 8;
    for (const auto& slot : facts.source->made_slots) {
        const bool ours = std::ranges::any_of(
            std::initializer_list<std::string_view>{"bookmark", "replay"},
            [&](std::string_view purpose) {
                auto prefix = slot_name_of(purpose, facts.settings.pipeline, "", 0);
                prefix.resize(prefix.size() - number_digits);
                return slot.name.starts_with(prefix);
            }
        );
        const auto& kept = facts.target->kept_slots;
        if (!ours || std::ranges::find(kept, slot.name, &KeptSlot::slot) != kept.end()) continue;
        problems.push_back({
            .severity = Severity::warning,
            .what = "replication slot " + shown(slot.name) + " is of no bookmark or replay here",
            .detail = keeps(facts, slot),
            .hint = "If no other target has a pipeline " + shown(facts.settings.pipeline) +
                    ", nobody needs it.",
            .mending_sql = sql_to_drop(slot.name),
        });
    }
}

void judge_window(const Facts& facts, Problems& problems) {
    const auto window = facts.settings.acknowledge.hold_back.bytes;
    const auto limit_mib = facts.source->slot_keep_mib;
    if (window == 0 || limit_mib < 0) return;
    if (window >> 20U < static_cast<std::uint64_t>(limit_mib)) return;
    problems.push_back({
        .severity = Severity::warning,
        .what = "acknowledge.hold_back leaves nothing of max_slot_wal_keep_size",
        .detail = "It keeps " + std::to_string(window >> 20U) + " MiB of WAL in the slot, and " +
                  std::to_string(limit_mib) + " MiB are allowed: the slot would be lost.",
        .hint = "Lower the one, or raise the other.",
    });
}

}  // namespace

const history_writer::KeptSlot* replay_under_way(const Facts& facts) {
    if (!facts.target) return nullptr;
    for (const auto& kept : facts.target->kept_slots) {
        const bool own = kept.pipeline == facts.settings.pipeline;
        if (own && kept.purpose == KeptSlot::Purpose::replay && kept.position) return &kept;
    }
    return nullptr;
}

void judge_kept_slots(const Facts& facts, Problems& problems) {
    judge_window(facts, problems);
    if (const auto* const replay = replay_under_way(facts)) judge_replay(facts, *replay, problems);
    for (const auto& kept : facts.target->kept_slots) {
        const bool own = kept.pipeline == facts.settings.pipeline;
        if (own && kept.purpose == KeptSlot::Purpose::bookmark) {
            judge_bookmark(facts, kept, problems);
        }
        const auto schema = history_writer::schema_of_copy(facts.settings.pipeline, kept.pipeline);
        if (schema && kept.purpose == KeptSlot::Purpose::replay) {
            judge_copy(facts, kept, *schema, problems);
        }
    }
    judge_unknown_slots(facts, problems);
}

}  // namespace pgchronicle::replicator
