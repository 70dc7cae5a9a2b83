#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace pgchronicle::history_writer {

/// What made a version. Source: DESIGN, "The history table".
enum class Operation : std::uint8_t {
    insert,
    update,
    remove,
    truncate,
    rekey,
    snapshot,
    reconcile,
    rewrite,
};

/// The word in `operation_type`.
[[nodiscard]] const char* name_of(Operation operation);

/// Index that names nothing.
inline constexpr std::uint32_t no_index = std::numeric_limits<std::uint32_t>::max();

/// One committed source transaction of a batch.
struct SourceTransaction {
    pgoutput::Lsn end_lsn;
    pgoutput::PgTimestamp recorded_time;  ///< Commit time, clamped so that it never decreases.
};

/// One version to be stored: its source columns are `size` bytes at `offset` of the table's
/// `payload`, in the form COPY takes.
struct Version {
    std::uint64_t offset{0};
    std::uint64_t change_seq{0};
    std::uint32_t size{0};
    std::uint32_t opened_by{0};         ///< Index into the batch's transactions.
    std::uint32_t closed_by{no_index};  ///< The same, or no_index while open.
    std::uint32_t fill{no_index};       ///< Index into `fills`: some columns are not known here.
    std::uint32_t previous_open{no_index};  ///< Without a key: the identical row opened before.
    Operation operation{Operation::insert};
    bool dropped{false};  ///< Is none after all; not to be written.
};

/// A version that is open in the target and ends in this batch. Its key columns stand at `offset`
/// of the table's `keys`, each an int32 length (big-endian, -1 for NULL) and that many raw bytes.
/// Tables without a key have all columns there.
struct Close {
    std::uint64_t offset{0};
    std::uint32_t size{0};
    std::uint32_t closed_by{0};       ///< no_index: nothing is to be closed after all.
    std::uint32_t nth{0};             ///< Which of several identical open rows; 0 with a key.
    std::uint32_t old_row{no_index};  ///< Index into `old_rows`: the row as the source had it.
    /// The version that follows, where only the target can tell whether it says anything new: the
    /// change may have been one of excluded columns alone. The sink then drops both, and overwrites
    /// what is not tracked.
    std::uint32_t unless_same_as{no_index};
};

/// Columns of a version that only the target knows: those set in its bitmap are taken from the
/// version that `close` ends. Bit i of the bitmap (least significant first) is column i.
struct Fill {
    std::uint32_t version{0};
    std::uint32_t close{0};
    std::uint32_t bitmap{0};  ///< Offset into `bitmaps`.
};

/// A row as an old tuple had it, complete. Kept only below the seam, where it may be the first that
/// is heard of the row.
struct OldRow {
    std::uint64_t offset{0};
    std::uint32_t size{0};
};

/// Everything one stretch of a batch does to one history table.
struct TableChanges {
    std::shared_ptr<const HistoryTable> table;
    std::vector<std::byte> payload;
    std::vector<std::byte> keys;
    std::vector<std::byte> bitmaps;
    std::vector<Version> versions;
    std::vector<Close> closes;
    std::vector<Fill> fills;
    std::vector<OldRow> old_rows;

    /// Empties it and keeps the memory.
    void clear();
    [[nodiscard]] bool empty() const { return versions.empty() && closes.empty(); }
    [[nodiscard]] std::size_t bytes() const;
    /// What it holds of memory, in use or not.
    [[nodiscard]] std::size_t memory() const;
};

/// A TRUNCATE: closes every open version of `table`, after all changes of its stretch.
struct TruncateTable {
    std::shared_ptr<const HistoryTable> table;
    std::uint32_t transaction{0};
    std::uint64_t change_seq{0};
};

/// A stretch of a batch in which the order between rows does not matter to the target any more;
/// `truncates` end it.
struct Stretch {
    std::vector<std::unique_ptr<TableChanges>> tables;
    std::vector<TruncateTable> truncates;
};

/// A transaction that was written in several parts, to a table that keeps the net effect only:
/// what superseded itself within it is to be taken out of the table again.
struct Collapse {
    std::shared_ptr<const HistoryTable> table;
    std::uint32_t transaction{0};
};

/// Consecutive source transactions for one write. Whole ones, unless `continues` is set: then the
/// last one goes on in the next batch, and the target's transaction must stay open until then.
struct ChangeBatch {
    WireForm form{WireForm::binary};
    std::vector<SourceTransaction> transactions;
    std::vector<Stretch> stretches;
    std::vector<Collapse> collapses;  ///< After all stretches.
    std::uint64_t rows{0};            ///< Versions and closes.
    /// Values that were not sent (unchanged TOAST, all but the key of a DELETE), taken from the
    /// version before.
    std::uint64_t values_inherited{0};
    bool continues{false};
    /// Where the checkpoint goes when this is written; `last_commit_end` is 0/0 when no
    /// transaction ended here (idle progress).
    pgoutput::Lsn last_commit_end;
    pgoutput::Lsn position;
    std::optional<pgoutput::PgTimestamp> last_recorded_time;

    [[nodiscard]] std::size_t bytes() const;
};

}  // namespace pgchronicle::history_writer
