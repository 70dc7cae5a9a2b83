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
    std::string state;    ///< pending, copied, ended, or quarantined
    std::optional<std::int64_t> rows_copied;
    std::optional<pgoutput::Lsn> consistent_from;
};

struct GapReport {
    std::int64_t id{0};
    std::string table;  ///< Empty: every table.
    pgoutput::Lsn from;
    pgoutput::Lsn to;
    std::string reason;
    std::string detail;
    std::string created_at;
};

/// A table that is left behind.
struct QuarantineReport {
    std::string table;
    pgoutput::Lsn from;  ///< Where its history ends.
    std::string since;   ///< ISO 8601
    std::string message;
    std::string detail;
    std::string hint;
    bool released{false};  ///< It is compared with the source at the next start.
};

/// A slot beside the pipeline's own: of a bookmark, of a replay, of a copy that is being made.
struct KeptReport {
    std::string purpose;  ///< bookmark, replay or copy
    std::string name;     ///< The bookmark's, or the copy's schema.
    std::string slot;
    std::string state;  ///< reserved, extended, unreserved, lost, gone or unfinished; or empty.
    std::optional<pgoutput::Lsn> position;
    std::optional<std::uint64_t> retained_bytes;
};

struct StatusReport {
    std::string pipeline;
    /// streaming: some process holds the pipeline's lock; copying: so, and tables are pending;
    /// replaying: so, and a replay is under way; retrying: so, and the source does not let it in;
    /// stopped; not_started: no checkpoint yet; unknown: the target cannot be asked.
    std::string state{"unknown"};
    std::string lock_holder;
    std::string target_error;  ///< Why the target could not be asked.
    std::string source_error;
    std::string obstacle;  ///< What `run` stops at, or would, with exit code 3; empty: nothing.
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
    std::string hold_back;  ///< The window that is kept in the slot: 1GiB, 2h; empty: none.
    /// A replay that is under way; its checkpoint was set back.
    std::optional<pgoutput::Lsn> replay_from;
    std::optional<pgoutput::Lsn> replay_until;
    std::vector<TableReport> tables;
    std::vector<QuarantineReport> quarantines;
    std::vector<GapReport> gaps;  ///< Neither repaired nor accepted.
    std::vector<KeptReport> kept;
};

/// green; red: something is missing that nobody has mended or accepted, or `run` needs an operator;
/// unknown: nothing of that is seen, but the source cannot be asked; empty: the target cannot.
[[nodiscard]] std::string health_of(const StatusReport& report);

/// green or red, by gaps and quarantines alone; empty: the target cannot be asked.
[[nodiscard]] std::string health_of_history(const StatusReport& report);

void print_text(const StatusReport& report, std::ostream& out, bool colours = false);
/// Lines of name and value: what is one value in the JSON, under the same name.
void print_csv(const StatusReport& report, std::ostream& out);
void print_json(const StatusReport& report, std::ostream& out);

/// 1536 becomes "1.5 KiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace pgchronicle::commands
