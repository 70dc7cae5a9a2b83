#include "replicator/stream_refusal.hpp"

#include "replicator/startup_guard.hpp"

#include <algorithm>

namespace pgchronicle::replicator {

namespace {

constexpr const char* undefined_object = "42704";

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

NeedsOperator slot_lost(const source_catalog::Slot& slot) {
    const auto& reason = slot.invalidation_reason;
    return {
        "replication slot " + quoted(slot.name) + " is lost",
        "The source has removed WAL that it needs" +
            (reason.empty() ? std::string{"."} : " (" + reason + ")."),
        std::string{"Changes since the checkpoint cannot be read any more. "} + reconcile_hint};
}

NeedsOperator publication_gone(const std::string& name) {
    return {
        "publication " + quoted(name) + " does not exist",
        "The source cannot decode changes without it.",
        "Create it again on the source, or correct source.publication. \"pgchronicle repair "
        "skip\" then passes what was changed without it and records the gap."};
}

}  // namespace

std::optional<NeedsOperator> explain_refusal(const RefusalFacts& facts) {
    if (!facts.slot) {
        return NeedsOperator{
            "replication slot " + quoted(facts.slot_name) + " does not exist",
            "It was there when the stream was asked for.",
            reconcile_hint};
    }
    if (facts.slot->lost()) return slot_lost(*facts.slot);
    if (facts.sqlstate != undefined_object) return std::nullopt;
    for (const auto& name : facts.publication_names) {
        const auto is_it = [&](const auto& publication) { return publication.name == name; };
        if (std::ranges::none_of(facts.publications, is_it)) return publication_gone(name);
    }
    return NeedsOperator{
        "replication slot cannot be read: " + facts.primary,
        "It holds changes that were made while the publication did not exist.",
        "\"pgchronicle repair skip\" passes them and records the gap."};
}

}  // namespace pgchronicle::replicator
