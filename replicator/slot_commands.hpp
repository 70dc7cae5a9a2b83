#pragma once

#include "config/settings.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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

/// ALTER_REPLICATION_SLOT that gives a copy of a slot the `failover` that copies do not have; empty
/// where the server has no such thing.
[[nodiscard]] std::string mark_for_failover(const std::string& slot, const SlotOptions& options);

/// CREATE_REPLICATION_SLOT of a temporary slot that exports the snapshot of its starting point.
[[nodiscard]] std::string create_snapshot_slot(const std::string& slot, int server_version);

/// SQL. Parameters: the slot, its copy's name.
inline constexpr const char* copy_slot_sql =
    "SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2)";
/// SQL. Parameter: the slot; nothing happens when there is none.
inline constexpr const char* drop_slot_sql =
    "SELECT pg_catalog.pg_drop_replication_slot(slot_name)"
    " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";

/// The name of a slot that we make beside the pipeline's: it says whose it is and what for, and
/// ends with `number`, so that pipelines of other targets may have their own.
[[nodiscard]] std::string slot_name_of(
    std::string_view purpose,
    std::string_view pipeline,
    std::string_view name,
    std::uint32_t number
);

}  // namespace pgchronicle::replicator
