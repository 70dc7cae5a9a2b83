#pragma once

#include "pgoutput/lsn.hpp"
#include "source_catalog/model.hpp"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

// What `status` knows, and its two forms of saying so. No I/O but the stream.

namespace pgchronicle::commands {

struct TableReport {
    std::string source;   ///< schema.table
    std::string history;  ///< schema.table
    std::string state;    ///< pending or copied
    std::optional<std::int64_t> rows_copied;
    std::optional<pgoutput::Lsn> consistent_from;
};

struct GapReport {
    std::string table;  ///< Empty: every table.
    pgoutput::Lsn from;
    pgoutput::Lsn to;
    std::string reason;
    std::string detail;
    std::string created_at;
};

struct StatusReport {
    std::string pipeline;
    /// streaming: some process holds the pipeline's lock; copying: so, and tables are pending;
    /// stopped; not_started: no checkpoint yet; unknown: the target cannot be asked.
    std::string state{"unknown"};
    std::string lock_holder;
    std::string target_error;  ///< Why the target could not be asked.
    std::string source_error;
    std::optional<pgoutput::Lsn> position;
    std::optional<pgoutput::Lsn> last_commit_end;
    std::string last_commit_time;  ///< ISO 8601, or empty.
    std::string updated_at;
    std::optional<std::uint64_t> lag_bytes;
    std::optional<double> lag_seconds;
    std::optional<double> rows_per_second;
    std::optional<pgoutput::Lsn> source_position;
    std::string slot_name;
    std::optional<source_catalog::Slot> slot;
    std::optional<std::uint64_t> retained_bytes;  ///< WAL that the slot keeps.
    std::vector<TableReport> tables;
    std::vector<GapReport> gaps;  ///< Open ones.
};

void print_text(const StatusReport& report, std::ostream& out);
void print_json(const StatusReport& report, std::ostream& out);

/// 1536 becomes "1.5 KiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace pgchronicle::commands
