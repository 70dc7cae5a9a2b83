#include "pgoutput/transaction_assembler.hpp"

#include <utility>

namespace pgchronicle::pgoutput {

namespace {

std::string qualified_name(const Relation& relation) {
    return relation.schema_name + '.' + relation.name;
}

std::string number(std::uint32_t value) {
    return std::to_string(value);
}

/// Whether a value of the replica identity is unchanged TOAST in this tuple.
bool lacks_key_value(const Relation& relation, const TupleData& tuple) {
    TupleReader values{tuple};
    for (const auto& column : relation.columns) {
        const bool sent = values.next().kind != ValueKind::unchanged_toast;
        if (column.in_identity && !sent) return true;
    }
    return false;
}

/// What is wrong with a row, without where.
struct RowFault {
    SequenceErrc code{};
    std::string text;
};

RowFault width_fault(std::string_view which, std::size_t tuple_width, std::size_t width) {
    return {
        SequenceErrc::column_count_mismatch,
        std::string{which} + " tuple has " + std::to_string(tuple_width) +
            " columns but its relation has " + std::to_string(width)};
}

/// Holds the tuples of a row against its relation and its operation.
std::optional<RowFault> find_fault(const RowChanged& row) {
    const auto& relation = *row.relation;
    const auto width = relation.columns.size();
    const bool has_old = row.old_kind != OldTupleKind::none;
    const bool has_new = row.operation != RowOperation::deleted;
    if (has_old && row.old_tuple.column_count != width) {
        return width_fault("old", row.old_tuple.column_count, width);
    }
    if (has_new && row.new_tuple.column_count != width) {
        return width_fault("new", row.new_tuple.column_count, width);
    }
    // The source fetches what is out of line before it logs an old tuple.
    if (row.old_tuple.has_unchanged_toast) {
        return RowFault{SequenceErrc::value_not_sent, "old tuple has an unchanged TOAST value"};
    }
    // Under FULL every column counts as identity, and a partition with an identity of its own may
    // have sent no old tuple: what the key is, and whether it came, is for the reader to say.
    const bool names_identity = relation.replica_identity != ReplicaIdentity::full;
    if (row.operation == RowOperation::updated && !has_old && names_identity &&
        row.new_tuple.has_unchanged_toast && lacks_key_value(relation, row.new_tuple)) {
        return RowFault{SequenceErrc::key_not_sent, "replica identity is an unchanged TOAST value"};
    }
    return std::nullopt;
}

}  // namespace

Result<Step, SequenceError> TransactionAssembler::on(const Message& message) {
    if (rejected_) return *rejected_;
    auto outcome = accept(message);
    if (!outcome) rejected_ = outcome.error();
    return outcome;
}

TransactionAssembler::Outcome TransactionAssembler::accept(const Message& message) {
    return std::visit(
        Overloaded{
            [this](const Begin& begin) { return on_begin(begin); },
            [this](const Commit& commit) { return on_commit(commit); },
            [this](const Origin&) { return on_origin(); },
            [this](const RelationMessage& relation) { return on_relation(relation); },
            [this](const TypeMessage&) -> Outcome {
                if (!in_transaction_) return outside("TYPE");
                return Step{Nothing{}};
            },
            [this](const Insert& insert) { return on_insert(insert); },
            [this](const Update& update) { return on_update(update); },
            [this](const Delete& removed) { return on_delete(removed); },
            [this](const Truncate& truncate) { return on_truncate(truncate); },
            [this](const LogicalMessage& content) { return on_logical_message(content); },
            [&](const StreamStart&) -> Outcome { return streamed(name_of(message)); },
            [&](const StreamStop&) -> Outcome { return streamed(name_of(message)); },
            [&](const StreamCommit&) -> Outcome { return streamed(name_of(message)); },
            [&](const StreamAbort&) -> Outcome { return streamed(name_of(message)); },
            [&](const StreamPrepare&) -> Outcome { return streamed(name_of(message)); },
            [&](const BeginPrepare&) -> Outcome { return prepared(name_of(message)); },
            [&](const Prepare&) -> Outcome { return prepared(name_of(message)); },
            [&](const CommitPrepared&) -> Outcome { return prepared(name_of(message)); },
            [&](const RollbackPrepared&) -> Outcome { return prepared(name_of(message)); },
        },
        message
    );
}

TransactionAssembler::Outcome TransactionAssembler::on_begin(const Begin& begin) {
    if (in_transaction_) {
        return error(
            SequenceErrc::begin_inside_transaction,
            "BEGIN",
            "transaction " + number(static_cast<std::uint32_t>(begin.xid)) +
                " begins before the one before it has committed"
        );
    }
    // Transactions come in the order of their commit records, which do not overlap.
    if (begin.final_lsn < last_end_) {
        return error(
            SequenceErrc::position_went_back,
            "BEGIN",
            "commit at " + to_string(begin.final_lsn) + " is before the end of the last commit, " +
                to_string(last_end_)
        );
    }
    in_transaction_ = true;
    // A commit that starts before the end of an applied one ends no later than that.
    already_applied_ = begin.final_lsn < applied_end_;
    begin_ = begin;
    change_count_ = 0;
    return Step{TransactionBegan{begin.xid, begin.final_lsn, begin.commit_time, already_applied_}};
}

TransactionAssembler::Outcome TransactionAssembler::on_commit(const Commit& commit) {
    if (!in_transaction_) return outside("COMMIT");
    if (commit.commit_lsn != begin_.final_lsn || commit.commit_time != begin_.commit_time) {
        return error(
            SequenceErrc::commit_differs_from_begin,
            "COMMIT",
            "commit at " + to_string(commit.commit_lsn) +
                " is not the one that the transaction began with"
        );
    }
    if (commit.end_lsn <= commit.commit_lsn) {
        return error(
            SequenceErrc::commit_ends_before_start,
            "COMMIT",
            "commit at " + to_string(commit.commit_lsn) + " ends at " + to_string(commit.end_lsn)
        );
    }
    if (already_applied_ && commit.end_lsn > applied_end_) {
        return error(
            SequenceErrc::start_inside_commit,
            "COMMIT",
            "start position " + to_string(applied_end_) + " lies inside the commit that ends at " +
                to_string(commit.end_lsn)
        );
    }
    in_transaction_ = false;
    last_end_ = commit.end_lsn;
    return Step{TransactionCommitted{
        begin_.xid,
        commit.commit_lsn,
        commit.end_lsn,
        commit.commit_time,
        change_count_,
        already_applied_}};
}

TransactionAssembler::Outcome TransactionAssembler::on_origin() const {
    if (!in_transaction_) return outside("ORIGIN");
    if (change_count_ != 0) {
        return error(
            SequenceErrc::misplaced_origin, "ORIGIN", "origin was sent after the first change"
        );
    }
    return Step{Nothing{}};
}

TransactionAssembler::Outcome TransactionAssembler::on_relation(const RelationMessage& message) {
    if (!in_transaction_) return outside("RELATION");
    return describe(message);
}

Step TransactionAssembler::describe(const RelationMessage& message) {
    auto previous = relations_.find(message.relation.id);
    // Every invalidation makes the server send a relation again, mostly as it was.
    if (previous && *previous == message.relation) {
        return RelationDescribed{previous.get(), previous.get()};
    }
    replaced_ = std::move(previous);
    last_relation_ = relations_.put(message.relation).get();
    return RelationDescribed{last_relation_, replaced_.get()};
}

TransactionAssembler::Outcome TransactionAssembler::on_insert(const Insert& insert) {
    return on_row(insert.relation, "INSERT", [&](RowChanged& row) {
        row.operation = RowOperation::inserted;
        row.new_tuple = insert.new_tuple;
    });
}

TransactionAssembler::Outcome TransactionAssembler::on_update(const Update& update) {
    return on_row(update.relation, "UPDATE", [&](RowChanged& row) {
        row.operation = RowOperation::updated;
        row.old_kind = update.old_kind;
        row.old_tuple = update.old_tuple;
        row.new_tuple = update.new_tuple;
    });
}

TransactionAssembler::Outcome TransactionAssembler::on_delete(const Delete& removed) {
    return on_row(removed.relation, "DELETE", [&](RowChanged& row) {
        row.operation = RowOperation::deleted;
        row.old_kind = removed.old_kind;
        row.old_tuple = removed.old_tuple;
    });
}

template <typename FillIn>
TransactionAssembler::Outcome
TransactionAssembler::on_row(RelationId id, std::string_view kind, FillIn fill_in) {
    if (!in_transaction_) return outside(kind);
    const auto* const described = relation(id);
    if (described == nullptr) return undescribed(kind, id);
    // Made in place: this runs for every row.
    Outcome outcome{std::in_place, std::in_place_type<RowChanged>};
    auto& row = *std::get_if<RowChanged>(&outcome.value());
    row.relation = described;
    row.change_seq = ++change_count_;
    fill_in(row);
    if (const auto fault = find_fault(row)) {
        outcome = error(fault->code, kind, fault->text, qualified_name(*described));
    }
    return outcome;
}

TransactionAssembler::Outcome TransactionAssembler::on_truncate(const Truncate& truncate) {
    if (!in_transaction_) return outside("TRUNCATE");
    for (std::uint32_t i = 0; i < truncate.relation_count; ++i) {
        const auto id = truncate.relation(i);
        if (relation(id) == nullptr) return undescribed("TRUNCATE", id);
    }
    return Step{TablesTruncated{++change_count_, truncate}};
}

TransactionAssembler::Outcome TransactionAssembler::on_logical_message(const LogicalMessage& message
) const {
    if (message.transactional && !in_transaction_) return outside("MESSAGE");
    return Step{Nothing{}};
}

const Relation* TransactionAssembler::relation(RelationId id) {
    if (last_relation_ != nullptr && last_relation_->id == id) return last_relation_;
    const auto found = relations_.find(id);
    if (found == nullptr) return nullptr;
    last_relation_ = found.get();  // The cache keeps it.
    return last_relation_;
}

SequenceError TransactionAssembler::error(
    SequenceErrc code,
    std::string_view kind,
    std::string primary,
    const std::string& relation
) const {
    std::string context = '"' + std::string{kind} + '"';
    if (!relation.empty()) context += " for relation \"" + relation + '"';
    if (in_transaction_) {
        context += " in transaction " + number(static_cast<std::uint32_t>(begin_.xid)) +
                   ", finished at " + to_string(begin_.final_lsn);
    } else {
        context += " after the commit that ended at " + to_string(last_end_);
    }
    return {code, std::move(primary), std::move(context)};
}

SequenceError TransactionAssembler::outside(std::string_view kind) const {
    return error(SequenceErrc::outside_transaction, kind, "message was sent outside a transaction");
}

SequenceError TransactionAssembler::undescribed(std::string_view kind, RelationId id) const {
    return error(
        SequenceErrc::unknown_relation,
        kind,
        "relation " + number(static_cast<std::uint32_t>(id)) + " was never described"
    );
}

SequenceError TransactionAssembler::streamed(std::string_view kind) const {
    return error(
        SequenceErrc::unexpected_stream,
        kind,
        "transaction in progress was streamed although streaming was not asked for"
    );
}

SequenceError TransactionAssembler::prepared(std::string_view kind) const {
    return error(
        SequenceErrc::unexpected_prepare,
        kind,
        "prepared transaction was sent although two_phase was not asked for"
    );
}

}  // namespace pgchronicle::pgoutput
