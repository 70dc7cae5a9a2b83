#include "replicator/slot_commands.hpp"

#include "pq/quoting.hpp"

#include <algorithm>

namespace pgchronicle::replicator {

namespace {

/// The server's versions as PQserverVersion counts them.
constexpr int version_15 = 150000;
constexpr int version_16 = 160000;
constexpr int version_17 = 170000;

/// The newest that the server has: 2 brought streaming, 3 two-phase commit, 4 parallel streaming.
int protocol_version(int server_version) {
    if (server_version >= version_16) return 4;
    return server_version >= version_15 ? 3 : 2;
}

bool can_fail_over(const SlotOptions& options) {
    return options.server_version >= version_17 && !options.in_recovery;
}

/// The replication grammar knows no E'': a backslash stands for itself.
std::string literal(const std::string& text) {
    std::string quoted{'\''};
    for (const char c : text) {
        if (c == '\'') quoted += c;
        quoted += c;
    }
    return quoted + '\'';
}

}  // namespace

std::string publication_names(std::span<const std::string> publications) {
    std::string list;
    for (const auto& name : publications) {
        list += (list.empty() ? "" : ",") + pq::quote_identifier(name);
    }
    return list;
}

std::string
start_replication(const std::string& slot, pgoutput::Lsn start, const StreamOptions& options) {
    std::string command =
        "START_REPLICATION SLOT " + pq::quote_identifier(slot) + " LOGICAL " + to_string(start) +
        " (proto_version '" + std::to_string(protocol_version(options.server_version)) +
        "', publication_names " + literal(publication_names(options.publications));
    if (options.form == history_writer::WireForm::binary) command += ", binary 'true'";
    if (options.streaming != config::Streaming::off) {
        const bool parallel = options.streaming == config::Streaming::parallel &&
                              options.server_version >= version_16;
        command += parallel ? ", streaming 'parallel'" : ", streaming 'on'";
    }
    if (options.two_phase) command += ", two_phase 'on'";
    return command + ")";
}

std::string create_slot(const std::string& slot, const SlotOptions& options) {
    std::string command =
        "CREATE_REPLICATION_SLOT " + pq::quote_identifier(slot) + " LOGICAL pgoutput ";
    if (options.server_version < version_15) return command + "NOEXPORT_SNAPSHOT";
    command += "(SNAPSHOT 'nothing'";
    if (options.two_phase) command += ", TWO_PHASE true";
    if (can_fail_over(options)) command += ", FAILOVER true";
    return command + ")";
}

std::string mark_for_failover(const std::string& slot, const SlotOptions& options) {
    if (!can_fail_over(options)) return {};
    return "ALTER_REPLICATION_SLOT " + pq::quote_identifier(slot) + " (FAILOVER true)";
}

std::string create_snapshot_slot(const std::string& slot, int server_version) {
    const std::string command =
        "CREATE_REPLICATION_SLOT " + pq::quote_identifier(slot) + " TEMPORARY LOGICAL pgoutput ";
    return command + (server_version < version_15 ? "EXPORT_SNAPSHOT" : "(SNAPSHOT 'export')");
}

std::string slot_name_of(
    std::string_view purpose,
    std::string_view pipeline,
    std::string_view name,
    std::uint32_t number
) {
    constexpr std::size_t name_bytes_max = 63;
    constexpr std::string_view digits = "0123456789abcdef";
    constexpr int number_digits = 8;
    std::string slot = "pgchronicle_";
    slot.append(purpose);
    for (const auto part : {pipeline, name}) {
        if (!part.empty()) slot += '_';
        for (const char c : part) {
            const bool lower = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
            const bool upper = c >= 'A' && c <= 'Z';
            slot += lower ? c : upper ? static_cast<char>(c - 'A' + 'a') : '_';
        }
    }
    slot.resize(std::min(slot.size(), name_bytes_max - number_digits - 1));
    slot += '_';
    for (int i = number_digits - 1; i >= 0; --i) slot += digits[(number >> (4 * i)) & 15U];
    return slot;
}

}  // namespace pgchronicle::replicator
