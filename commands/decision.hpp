#pragma once

#include "commands/refusal.hpp"
#include "config/settings.hpp"
#include "history_writer/checkpoint.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <optional>
#include <string>

// What the commands share by which an operator decides something: what they ask for, and the trace
// that they leave.

namespace pgchronicle::commands {

/// What an operator decided, as pgchronicle.audit keeps it.
struct Decision {
    std::string action;
    std::string reason;
    std::string detail;
    std::optional<pgoutput::Lsn> from{};
    std::optional<pgoutput::Lsn> to{};
};

/// Adds the audit row, within the transaction that is open.
void record(pq::Connection& target, const std::string& pipeline, const Decision& decision);

/// A reason that is none.
[[nodiscard]] std::optional<Refusal> refuse_reason(const std::string& reason);

/// Takes the pipeline's lock for as long as `target` lives, or says who holds it.
[[nodiscard]] std::optional<Refusal>
lock_or_refuse(pq::Connection& target, const std::string& pipeline);

/// A replay of the pipeline that is under way, and will write what the decision is about.
[[nodiscard]] std::optional<Refusal>
refuse_replay(pq::Connection& target, const std::string& pipeline);

[[nodiscard]] Refusal no_checkpoint(const std::string& pipeline);

/// A checkpoint of another system, timeline, database or slot.
[[nodiscard]] std::optional<Refusal> refuse_other_source(
    const config::Settings& settings,
    const source_catalog::Server& server,
    const std::optional<history_writer::Checkpoint>& checkpoint
);

/// Runs `act` in a transaction that is on the target's disk when this returns.
template <typename Act>
void durably(pq::Connection& target, Act act) {
    target.exec("BEGIN; SET LOCAL synchronous_commit = on");
    try {
        act();
        target.exec("COMMIT");
    } catch (...) {
        if (target.ok()) target.exec("ROLLBACK");
        throw;
    }
}

}  // namespace pgchronicle::commands
