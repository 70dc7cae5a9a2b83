#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/key_index.hpp"
#include "history_writer/key_question.hpp"
#include "history_writer/plan_error.hpp"
#include "history_writer/spare_changes.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pgoutput/message.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pgchronicle::history_writer {

/// Folds the changes of consecutive transactions into what one write does to the target.
///
/// The chain of each row key is resolved here: a version that begins and ends inside the batch
/// arrives closed, and each key has at most one close of a version that the target holds. Values
/// that were not sent come from the old tuple, else from the preceding version in the batch, else
/// they are left to the target (Fill). Pure: no clock, no I/O. No allocation per row once the
/// buffers have grown. Thread: one.
/// Source: docs/history_model.md.
class BatchBuilder {
public:
    explicit BatchBuilder(WireForm form) : form_{form} {}

    /// Changes that follow belong to this transaction. `recorded_time` is clamped already.
    void begin_transaction(const SourceTransaction& transaction);

    /// What must be answered before `update`: whether the keys of the old and the new row, which
    /// differ in bytes, are equal to PostgreSQL. Nothing in nearly all cases.
    [[nodiscard]] std::optional<KeyQuestion>
    question(const std::shared_ptr<const HistoryTable>& table, const pgoutput::Update& change);
    /// For the `update` that follows.
    void answer(bool keys_are_equal) { keys_are_equal_ = keys_are_equal; }

    /// One row change each; views need to live only for the call.
    using Outcome = std::optional<PlanError>;
    [[nodiscard]] Outcome insert(
        const std::shared_ptr<const HistoryTable>& table,
        const pgoutput::TupleData& row,
        std::uint64_t change_seq
    );
    [[nodiscard]] Outcome update(
        const std::shared_ptr<const HistoryTable>& table,
        const pgoutput::Update& change,
        std::uint64_t change_seq
    );
    [[nodiscard]] Outcome remove(
        const std::shared_ptr<const HistoryTable>& table,
        const pgoutput::Delete& change,
        std::uint64_t change_seq
    );
    void truncate(const std::shared_ptr<const HistoryTable>& table, std::uint64_t change_seq);

    /// What the batch takes, the keys that are known meanwhile included.
    [[nodiscard]] std::size_t bytes() const { return bytes_ + key_bytes_; }
    [[nodiscard]] std::uint64_t rows() const { return batch_.rows; }
    [[nodiscard]] bool has_transactions() const { return !batch_.transactions.empty(); }

    /// Hands the batch over; the builder starts afresh. With `continues`, the transaction begun
    /// last goes on in the next batch.
    [[nodiscard]] ChangeBatch take(bool continues);

    /// Takes the memory of a written batch, to be used again.
    void recycle(ChangeBatch&& batch);
    /// No more is kept for use again than this, of changes and of keys each: what a huge row or
    /// transaction took beyond it goes back to the system.
    void keep_at_most(std::size_t bytes);

private:
    struct Slot {
        std::shared_ptr<const HistoryTable> table;
        TableChanges* changes{nullptr};
        KeyIndex keys;
        std::uint32_t changed_in{no_index};  ///< The last transaction that did something here.
        /// Only the net effect of the transaction in hand is kept, and all of it is here.
        bool collapses{false};
    };
    using Values = std::vector<pgoutput::Value>;
    /// Where a row takes from what its tuple does not say: a version of this batch, or the one
    /// that a close ends in the target.
    struct Base {
        std::uint32_t version{no_index};
        std::uint32_t close{no_index};
    };
    /// What one version is made of.
    struct Draft {
        const Values& values;  ///< Unchanged TOAST stands for "as in the base".
        Base base;
        Operation operation{};
        std::uint64_t change_seq{0};
    };

    /// Whether the new row may say what the open version says, and only the target can tell.
    [[nodiscard]] bool
    target_must_compare(const Slot& slot, const KeyState& state, const Values& values) const;
    Slot& slot_of(const std::shared_ptr<const HistoryTable>& table);
    void end_stretch();
    void forget_keys();
    KeyState& state_of(Slot& slot, std::span<const std::byte> key);
    [[nodiscard]] std::uint32_t current() const {
        return static_cast<std::uint32_t>(batch_.transactions.size() - 1);
    }
    [[nodiscard]] bool
    read_values(const HistoryTable& table, const pgoutput::TupleData& tuple, Values& out) const;
    [[nodiscard]] bool
    only_excluded_changed(const HistoryTable& table, const pgoutput::Update& change) const;
    /// The canonical key of `values`; nothing when a key column was not sent.
    std::optional<std::span<const std::byte>>
    canonical_key(const HistoryTable& table, const Values& values);
    std::optional<Base>
    end_open(Slot& slot, KeyState& state, const Values& key_values, bool old_complete);
    std::uint32_t append_version(Slot& slot, const Draft& draft);
    /// The tombstone of the row in `old_values_`.
    void append_tombstone(
        Slot& slot,
        KeyState& state,
        bool complete,
        Base base,
        Operation operation,
        std::uint64_t change_seq
    );
    void
    append_inherited(TableChanges& changes, std::size_t column, Base base, std::uint32_t& fill);
    /// Whether the version added last has the tracked values of `before`.
    [[nodiscard]] bool says_the_same(const TableChanges& changes, std::uint32_t before) const;
    /// The version added last is none: `before` stays open, with its values that are not tracked.
    void stay_open(Slot& slot, KeyState& state, std::uint32_t before);
    /// Under `collapse`, a version that this transaction made and has ended itself is none. True
    /// if `version` was one.
    bool take_back(Slot& slot, KeyState& state, std::uint32_t version);
    /// The transaction in hand goes on where its own versions are not in the builder any more.
    void note_split();
    void note_split(const std::shared_ptr<const HistoryTable>& table);
    void end_transaction();
    [[nodiscard]] Outcome rekey(Slot& slot, const Draft& draft, bool old_complete);
    [[nodiscard]] Outcome replace(Slot& slot, KeyState& state, const Draft& draft, bool full);
    [[nodiscard]] Outcome open_key(Slot& slot, const Draft& draft);

    WireForm form_;
    ChangeBatch batch_;
    std::size_t bytes_{0};
    std::size_t key_bytes_{0};                  ///< Of this stretch.
    std::vector<std::unique_ptr<Slot>> slots_;  ///< The first `slots_used_` are this stretch's.
    std::size_t slots_used_{0};
    Slot* last_slot_{nullptr};
    /// Twice the default of batch.max_bytes.
    std::size_t kept_bytes_max_{64U << 20U};
    SpareChanges spare_{kept_bytes_max_};
    Values new_values_;
    Values old_values_;
    Bytes key_;
    Bytes old_key_;
    bool keys_are_equal_{false};
    /// Tables under `collapse` whose changes by the transaction in hand are partly written.
    std::vector<std::shared_ptr<const HistoryTable>> split_;
};

}  // namespace pgchronicle::history_writer
