#pragma once

#include "pgoutput/message.hpp"
#include "pgoutput/relation_cache.hpp"
#include "pgoutput/result.hpp"
#include "pgoutput/sequence_error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace pgchronicle::pgoutput {

/// Nothing for the caller to do: Origin, Type, a logical message.
struct Nothing {};

/// A transaction begins.
struct TransactionBegan {
    Xid xid{};
    Lsn final_lsn;  ///< Start of the commit record.
    PgTimestamp commit_time;
    bool already_applied{false};  ///< Ends at or before the start position: skip its rows.
};

enum class RowOperation : std::uint8_t { inserted, updated, deleted };

/// One row changed. The tuples are as wide as `relation` and point into the message's payload.
struct RowChanged {
    RowOperation operation{};
    const Relation* relation{nullptr};  ///< Never null; valid until the next RelationDescribed.
    std::uint64_t change_seq{0};        ///< 1, 2, ... within the transaction.
    OldTupleKind old_kind{OldTupleKind::none};
    TupleData old_tuple;  ///< Empty when `old_kind` is none.
    TupleData new_tuple;  ///< Empty for a delete.
};

/// Tables were truncated by one statement, which takes one `change_seq`. Each is described.
struct TablesTruncated {
    std::uint64_t change_seq{0};
    Truncate truncate;
};

/// A relation is described: for the first time, differently than before, or once more as it was.
/// The last says that something has happened to it, or nothing: a column may have gone and another
/// one of its name and type have come.
struct RelationDescribed {
    const Relation* relation{nullptr};  ///< In force from now on; valid until described again.
    /// Null the first time, `relation` itself when nothing differs; valid until the next message.
    const Relation* previous{nullptr};
};

/// The transaction is complete.
struct TransactionCommitted {
    Xid xid{};
    Lsn commit_lsn;
    Lsn end_lsn;  ///< The position to acknowledge once the transaction is durable.
    PgTimestamp commit_time;
    std::uint64_t change_count{0};  ///< The last `change_seq`; 0 for an empty transaction.
    bool already_applied{false};    ///< As in TransactionBegan.
};

/// What one message means.
using Step = std::variant<
    Nothing,
    TransactionBegan,
    RowChanged,
    TablesTruncated,
    RelationDescribed,
    TransactionCommitted>;

/// Follows the messages of one session and says what each one means.
///
/// Knows which transaction is open, resolves relation ids, numbers the changes, and rejects every
/// sequence that the server cannot send; nothing after a rejection is accepted. Allocates for
/// Relation messages and errors only. One object per session: the server describes each relation
/// anew after a reconnect. What comes in pieces, streamed or prepared, is put together before.
/// Thread: any one. Errors: see SequenceErrc. Source: manual, protocol-logical-messages-flow;
/// pgoutput.c.
class TransactionAssembler {
public:
    /// `applied_end` is the end of the last commit the caller already has, or 0/0 for none.
    explicit TransactionAssembler(Lsn applied_end) : applied_end_{applied_end} {}

    [[nodiscard]] Result<Step, SequenceError> on(const Message& message);

    /// Takes a relation outside of a transaction.
    [[nodiscard]] Step describe(const RelationMessage& message);

    /// Whether a transaction is open, so that the session must not end here.
    [[nodiscard]] bool in_transaction() const { return in_transaction_; }

    /// The relation in force, or null when none was sent; valid until described again.
    [[nodiscard]] const Relation* relation(RelationId id);

    /// The relation in force, for those who keep it.
    [[nodiscard]] std::shared_ptr<const Relation> shared_relation(RelationId id) const {
        return relations_.find(id);
    }

private:
    using Outcome = Result<Step, SequenceError>;

    [[nodiscard]] Outcome accept(const Message& message);

    [[nodiscard]] Outcome on_begin(const Begin& begin);
    [[nodiscard]] Outcome on_commit(const Commit& commit);
    [[nodiscard]] Outcome on_origin() const;
    [[nodiscard]] Outcome on_relation(const RelationMessage& message);
    [[nodiscard]] Outcome on_insert(const Insert& insert);
    [[nodiscard]] Outcome on_update(const Update& update);
    [[nodiscard]] Outcome on_delete(const Delete& removed);
    [[nodiscard]] Outcome on_truncate(const Truncate& truncate);
    [[nodiscard]] Outcome on_logical_message(const LogicalMessage& message) const;
    template <typename FillIn>
    [[nodiscard]] Outcome on_row(RelationId id, std::string_view kind, FillIn fill_in);

    [[nodiscard]] SequenceError error(
        SequenceErrc code,
        std::string_view kind,
        std::string primary,
        const std::string& relation = {}
    ) const;
    [[nodiscard]] SequenceError outside(std::string_view kind) const;
    [[nodiscard]] SequenceError undescribed(std::string_view kind, RelationId id) const;
    [[nodiscard]] SequenceError streamed(std::string_view kind) const;
    [[nodiscard]] SequenceError prepared(std::string_view kind) const;

    RelationCache relations_;
    const Relation* last_relation_{nullptr};  ///< The relation of the last row: mostly the next's.
    std::shared_ptr<const Relation> replaced_;  ///< Keeps RelationDescribed::previous alive.

    bool in_transaction_{false};
    bool already_applied_{false};
    Begin begin_;  ///< Of the open transaction.
    std::uint64_t change_count_{0};

    Lsn applied_end_;
    Lsn last_end_;  ///< End of the last commit of this session, or 0/0.
    std::optional<SequenceError> rejected_;
};

}  // namespace pgchronicle::pgoutput
