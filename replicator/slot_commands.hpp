#pragma once

#include "config/settings.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"

#include <span>
#include <string>
#include <vector>

// Text of the replication commands. Source: manual, protocol-replication.

namespace pgchronicle::replicator {

/// Publications as pgoutput's option lists them: identifiers with quotes, divided by commas.
[[nodiscard]] std::string publication_names(std::span<const std::string> publications);

/// Servers from here on send prepared transactions, as PQserverVersion counts.
inline constexpr int two_phase_version = 150000;

struct StreamOptions {
    std::vector<std::string> publications;
    history_writer::WireForm form{history_writer::WireForm::binary};
    config::Streaming streaming{config::Streaming::off};
    bool two_phase{false};
    int server_version{0};  ///< As PQserverVersion counts; decides the protocol's version.
};

/// START_REPLICATION SLOT ... LOGICAL from `start`.
[[nodiscard]] std::string
start_replication(const std::string& slot, pgoutput::Lsn start, const StreamOptions& options);

struct SlotOptions {
    int server_version{0};
    bool in_recovery{false};  ///< A slot on a standby cannot fail over itself.
    bool two_phase{false};
};

/// CREATE_REPLICATION_SLOT for good, without a snapshot. `failover` where the server has it (17).
[[nodiscard]] std::string create_slot(const std::string& slot, const SlotOptions& options);

/// CREATE_REPLICATION_SLOT of a temporary slot that exports the snapshot of its starting point.
[[nodiscard]] std::string create_snapshot_slot(const std::string& slot, int server_version);

}  // namespace pgchronicle::replicator
