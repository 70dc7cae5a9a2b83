#pragma once

#include "pgoutput/decode.hpp"
#include "replicator/io/transaction_buffer.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>

namespace pgchronicle::replicator::io {

/// Nothing to be done: a part of a transaction, or none of our business.
struct PartReceived {};

/// A transaction begins to come. It has committed, for else it would come as a stream.
struct TransactionBegins {
    pgoutput::Begin begin;
};

/// A transaction has come whole: its messages but for those that begin and end it.
struct WholeTransaction {
    pgoutput::Begin begin;
    pgoutput::Commit commit;
    pgoutput::StreamContext context{};     ///< How its messages are to be decoded.
    TransactionBuffer* messages{nullptr};  ///< At the first one; valid until the next `on`.
    const std::set<pgoutput::Xid>* aborted{nullptr};  ///< Subtransactions that were rolled back.
    std::optional<pgoutput::Lsn> prepare_lsn{};       ///< Where it was prepared, if it was.

    /// Whether a message belongs to a subtransaction that was rolled back.
    [[nodiscard]] bool skips(const pgoutput::Message& message) const;
};

/// A further message of the transaction that is handed out while it comes.
struct MessageComes {
    std::span<const std::byte> payload;
};

/// The end of that transaction.
struct CommitComes {
    pgoutput::Commit commit;
};

using Received =
    std::variant<PartReceived, TransactionBegins, WholeTransaction, MessageComes, CommitComes>;

/// Puts transactions together from what the server sends: at once, in pieces while they run
/// (`streaming`), or with their COMMIT PREPARED long after their PREPARE (`two_phase`). Hands them
/// out whole, in the order of their commits; or one while it comes, to who knows where it ends.
///
/// What does not fit into `memory_max` bytes goes to files in `spool_dir`. Nothing is kept over a
/// reconnect: the server sends again what was not acknowledged.
/// Errors: NeedsOperator for what the server cannot send; pq::Error from the files.
/// Source: manual, protocol-logicalrep-message-formats.
class TransactionInbox {
public:
    using OnRelation = std::function<void(const pgoutput::RelationMessage&)>;

    /// `on_relation`: called for relations that a prepared transaction describes. The server takes
    /// them for known from then on, also in transactions that commit before that one.
    /// `applied_end`: what ends there or before is stored already.
    TransactionInbox(
        std::string spool_dir,
        std::size_t memory_max,
        OnRelation on_relation,
        pgoutput::Lsn applied_end = {}
    );

    [[nodiscard]] Received on(std::span<const std::byte> payload);

    /// Within the messages of a transaction.
    [[nodiscard]] bool receiving() const { return receiving_ != nullptr; }
    /// Bytes that have come of that one.
    [[nodiscard]] std::uint64_t received_bytes() const {
        return receiving() ? receiving_->messages.bytes() : 0;
    }
    [[nodiscard]] std::uint64_t received_messages() const {
        return receiving() ? receiving_->messages.messages() : 0;
    }

    /// The transaction that comes, if it has committed and is to be kept until its end.
    [[nodiscard]] std::optional<pgoutput::Begin> kept() const;
    /// Hands that one out as far as it has come. What follows is handed out as it comes; its commit
    /// is to be compared with `end_lsn`.
    [[nodiscard]] WholeTransaction hand_out(pgoutput::Lsn end_lsn);

    /// Before this, nothing may be acknowledged beyond it: start of the first PREPARE whose
    /// transaction has not ended yet.
    [[nodiscard]] std::optional<pgoutput::Lsn> oldest_prepare() const;

private:
    struct Transaction {
        Transaction(const std::string& spool_dir, std::size_t memory_max)
            : messages{spool_dir, memory_max} {}
        TransactionBuffer messages;
        pgoutput::StreamContext context{pgoutput::StreamContext::outside_stream};
        std::set<pgoutput::Xid> aborted;
        pgoutput::Lsn prepare_lsn;
    };
    using TransactionPtr = std::unique_ptr<Transaction>;

    Received on_control(const pgoutput::Message& message);
    Received on_begin(const pgoutput::Begin& begin);
    Received on_commit(const pgoutput::Commit& commit);
    void on_stream_start(const pgoutput::StreamStart& start);
    void on_stream_stop();
    Received on_stream_commit(const pgoutput::StreamCommit& commit);
    void on_stream_abort(const pgoutput::StreamAbort& abort);
    void on_stream_prepare(const pgoutput::StreamPrepare& prepare);
    void on_begin_prepare(const pgoutput::BeginPrepare& begin);
    void on_prepare(const pgoutput::Prepare& prepare);
    Received on_commit_prepared(const pgoutput::CommitPrepared& commit);
    void append(std::span<const std::byte> payload, char tag);
    void limit_memory();
    TransactionPtr make() const;
    WholeTransaction
    finish(TransactionPtr transaction, pgoutput::Begin begin, pgoutput::Commit commit);

    std::string spool_dir_;
    std::size_t memory_max_;
    OnRelation on_relation_;
    pgoutput::Lsn applied_end_;

    Transaction* receiving_{nullptr};  ///< Whose messages come now.

    TransactionPtr plain_;  ///< Used again and again: between B and C.
    pgoutput::Begin begin_;
    bool handed_out_{false};    ///< That one, before its end.
    TransactionPtr preparing_;  ///< Between b and P.
    std::map<pgoutput::Xid, TransactionPtr> streamed_;
    std::map<std::string, TransactionPtr, std::less<>> prepared_;  ///< By gid.
    TransactionPtr finished_;                                      ///< Handed out last.
};

}  // namespace pgchronicle::replicator::io
