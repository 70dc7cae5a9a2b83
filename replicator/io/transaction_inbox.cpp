#include "replicator/io/transaction_inbox.hpp"

#include "replicator/stream_error.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace pgchronicle::replicator::io {

using namespace pgoutput;  // NOLINT(google-build-using-namespace): every message type is used here.

namespace {

[[noreturn]] void out_of_order(const std::string& detail) {
    throw NeedsOperator{"replication stream is out of order", detail};
}

std::string number(Xid xid) {
    return std::to_string(static_cast<std::uint32_t>(xid));
}

Message decoded(std::span<const std::byte> payload, StreamContext context) {
    auto message = decode(payload, context);
    if (!message.ok()) {
        throw NeedsOperator{
            "could not decode a message of the replication stream", to_string(message.error())};
    }
    return *message;
}

/// Messages that are kept as they came; the others say what becomes of a transaction.
bool is_content(char tag) {
    switch (tag) {
    case 'I':
    case 'U':
    case 'D':
    case 'T':
    case 'R':
    case 'Y':
    case 'O':
    case 'M':
        return true;
    default:
        return false;
    }
}

}  // namespace

bool WholeTransaction::skips(const Message& message) const {
    if (aborted->empty()) return false;
    return std::visit(
        [&](const auto& content) {
            if constexpr (requires { content.xid.has_value(); }) {
                return content.xid.has_value() && aborted->contains(*content.xid);
            }
            return false;
        },
        message
    );
}

TransactionInbox::TransactionInbox(
    std::string spool_dir,
    std::size_t memory_max,
    OnRelation on_relation,
    Lsn applied_end
)
    : spool_dir_{std::move(spool_dir)},
      memory_max_{memory_max},
      on_relation_{std::move(on_relation)},
      applied_end_{applied_end},
      plain_{make()} {}

TransactionInbox::TransactionPtr TransactionInbox::make() const {
    return std::make_unique<Transaction>(spool_dir_, memory_max_);
}

std::optional<Lsn> TransactionInbox::oldest_prepare() const {
    std::optional<Lsn> oldest;
    for (const auto& [gid, transaction] : prepared_) {
        oldest = oldest ? std::min(*oldest, transaction->prepare_lsn) : transaction->prepare_lsn;
    }
    return oldest;
}

Received TransactionInbox::on(std::span<const std::byte> payload) {
    const auto tag = payload.empty() ? '\0' : static_cast<char>(payload.front());
    if (is_content(tag)) {
        if (handed_out_) return MessageComes{payload};
        append(payload, tag);
        return PartReceived{};
    }
    return on_control(decoded(payload, StreamContext::outside_stream));
}

void TransactionInbox::append(std::span<const std::byte> payload, char tag) {
    if (receiving_ == nullptr) {
        // A logical message that is not transactional belongs to nobody.
        const auto message = decoded(payload, StreamContext::outside_stream);
        const auto* const stray = std::get_if<LogicalMessage>(&message);
        if (stray != nullptr && !stray->transactional) return;
        out_of_order(
            "\"" + std::string{name_of(message)} + "\" message was sent outside a transaction."
        );
    }
    if (tag == 'R' && receiving_ == preparing_.get()) {
        const auto message = decoded(payload, receiving_->context);
        on_relation_(*std::get_if<RelationMessage>(&message));
    }
    receiving_->messages.append(payload);
    if (receiving_ != plain_.get()) limit_memory();
}

void TransactionInbox::limit_memory() {
    std::size_t in_memory = 0;
    TransactionBuffer* largest = nullptr;
    const auto count = [&](const TransactionPtr& transaction) {
        auto& messages = transaction->messages;
        in_memory += messages.memory_bytes();
        if (largest == nullptr || messages.memory_bytes() > largest->memory_bytes()) {
            largest = &messages;
        }
    };
    for (const auto& [xid, transaction] : streamed_) count(transaction);
    for (const auto& [gid, transaction] : prepared_) count(transaction);
    if (preparing_) count(preparing_);
    if (in_memory > memory_max_) largest->spill();
}

Received TransactionInbox::on_control(const Message& message) {
    const auto none = [](auto) -> Received { return PartReceived{}; };
    const auto after = [&](auto&& act) -> Received {
        act();
        return PartReceived{};
    };
    return std::visit(
        Overloaded{
            [&](const Begin& begin) { return on_begin(begin); },
            [&](const Commit& commit) { return on_commit(commit); },
            [&](const StreamStart& start) { return after([&] { on_stream_start(start); }); },
            [&](const StreamStop&) { return after([&] { on_stream_stop(); }); },
            [&](const StreamCommit& commit) { return on_stream_commit(commit); },
            [&](const StreamAbort& abort) { return after([&] { on_stream_abort(abort); }); },
            [&](const StreamPrepare& prepare) {
                return after([&] { on_stream_prepare(prepare); });
            },
            [&](const BeginPrepare& begin) { return after([&] { on_begin_prepare(begin); }); },
            [&](const Prepare& prepare) { return after([&] { on_prepare(prepare); }); },
            [&](const CommitPrepared& commit) { return on_commit_prepared(commit); },
            [&](const RollbackPrepared& rollback) {
                return after([&] { prepared_.erase(std::string{rollback.gid}); });
            },
            // `on` has taken these apart.
            [&](const Origin& m) { return none(m); },
            [&](const RelationMessage& m) { return none(m); },
            [&](const TypeMessage& m) { return none(m); },
            [&](const Insert& m) { return none(m); },
            [&](const Update& m) { return none(m); },
            [&](const Delete& m) { return none(m); },
            [&](const Truncate& m) { return none(m); },
            [&](const LogicalMessage& m) { return none(m); }},
        message
    );
}

Received TransactionInbox::on_begin(const Begin& begin) {
    if (receiving_ != nullptr) {
        out_of_order(
            "Transaction " + number(begin.xid) + " begins before the one before it has ended."
        );
    }
    begin_ = begin;
    plain_->messages.clear();
    receiving_ = plain_.get();
    return TransactionBegins{begin};
}

Received TransactionInbox::on_commit(const Commit& commit) {
    if (receiving_ == nullptr || receiving_ != plain_.get()) {
        out_of_order("COMMIT at " + to_string(commit.commit_lsn) + " without a transaction.");
    }
    receiving_ = nullptr;
    if (std::exchange(handed_out_, false)) return CommitComes{commit};
    plain_->messages.rewind();
    return WholeTransaction{begin_, commit, plain_->context, &plain_->messages, &plain_->aborted};
}

std::optional<Begin> TransactionInbox::kept() const {
    if (receiving_ != plain_.get() || handed_out_) return std::nullopt;
    return begin_;
}

WholeTransaction TransactionInbox::hand_out(Lsn end_lsn) {
    assert(kept());
    handed_out_ = true;
    plain_->messages.rewind();
    return WholeTransaction{
        begin_,
        {0, begin_.final_lsn, end_lsn, begin_.commit_time},
        plain_->context,
        &plain_->messages,
        &plain_->aborted};
}

void TransactionInbox::on_stream_start(const StreamStart& start) {
    if (receiving_ != nullptr) {
        out_of_order("Transaction " + number(start.xid) + " is streamed inside of another one.");
    }
    auto& transaction = streamed_[start.xid];
    if (start.first_segment) {
        transaction = make();
        transaction->context = StreamContext::inside_stream;
    }
    if (!transaction) {
        out_of_order("The first part of transaction " + number(start.xid) + " was not sent.");
    }
    receiving_ = transaction.get();
}

void TransactionInbox::on_stream_stop() {
    if (receiving_ == nullptr || receiving_->context != StreamContext::inside_stream) {
        out_of_order("A stream ends that has not begun.");
    }
    receiving_ = nullptr;
}

WholeTransaction TransactionInbox::finish(TransactionPtr transaction, Begin begin, Commit commit) {
    if (receiving_ != nullptr) {
        out_of_order(
            "Transaction " + number(begin.xid) + " ends while messages of another one come."
        );
    }
    finished_ = std::move(transaction);
    finished_->messages.rewind();
    return WholeTransaction{
        begin, commit, finished_->context, &finished_->messages, &finished_->aborted};
}

Received TransactionInbox::on_stream_commit(const StreamCommit& commit) {
    const auto found = streamed_.find(commit.xid);
    if (found == streamed_.end()) {
        out_of_order("Transaction " + number(commit.xid) + " commits, and nothing of it was sent.");
    }
    auto transaction = std::move(found->second);
    streamed_.erase(found);
    return finish(
        std::move(transaction),
        {commit.commit_lsn, commit.commit_time, commit.xid},
        {commit.flags, commit.commit_lsn, commit.end_lsn, commit.commit_time}
    );
}

void TransactionInbox::on_stream_abort(const StreamAbort& abort) {
    // Of one that wrote nothing published, nothing was sent.
    const auto found = streamed_.find(abort.xid);
    if (found == streamed_.end()) return;
    if (receiving_ != nullptr) {
        out_of_order(
            "Transaction " + number(abort.xid) + " is rolled back while messages of another come."
        );
    }
    if (abort.subxid == abort.xid) {
        streamed_.erase(found);
    } else {
        found->second->aborted.insert(abort.subxid);
    }
}

void TransactionInbox::on_stream_prepare(const StreamPrepare& prepare) {
    const auto found = streamed_.find(prepare.xid);
    if (found == streamed_.end()) {
        out_of_order(
            "Transaction " + number(prepare.xid) + " is prepared, and nothing of it was sent."
        );
    }
    auto transaction = std::move(found->second);
    streamed_.erase(found);
    transaction->prepare_lsn = prepare.prepare_lsn;
    prepared_[std::string{prepare.gid}] = std::move(transaction);
}

void TransactionInbox::on_begin_prepare(const BeginPrepare& begin) {
    if (receiving_ != nullptr) {
        out_of_order(
            "Transaction " + number(begin.xid) + " begins before the one before it has ended."
        );
    }
    preparing_ = make();
    receiving_ = preparing_.get();
}

void TransactionInbox::on_prepare(const Prepare& prepare) {
    if (!preparing_ || receiving_ != preparing_.get()) {
        out_of_order("PREPARE at " + to_string(prepare.prepare_lsn) + " without a transaction.");
    }
    receiving_ = nullptr;
    preparing_->prepare_lsn = prepare.prepare_lsn;
    prepared_[std::string{prepare.gid}] = std::move(preparing_);
}

Received TransactionInbox::on_commit_prepared(const CommitPrepared& commit) {
    const auto found = prepared_.find(commit.gid);
    if (found == prepared_.end()) {
        // The stream begins between its PREPARE and here, for the sake of another one.
        if (commit.end_lsn <= applied_end_) return PartReceived{};
        // Its content was sent, and acknowledged, before we began: by another reader of the slot.
        throw NeedsOperator{
            "content of a prepared transaction was not sent",
            "COMMIT PREPARED at " + to_string(commit.commit_lsn) + " names \"" +
                std::string{commit.gid} + "\", which was prepared before the slot's position.",
            "Its changes are lost to this slot: begin with a new slot and a new copy."};
    }
    auto transaction = std::move(found->second);
    prepared_.erase(found);
    const auto prepare_lsn = transaction->prepare_lsn;
    auto whole = finish(
        std::move(transaction),
        {commit.commit_lsn, commit.commit_time, commit.xid},
        {commit.flags, commit.commit_lsn, commit.end_lsn, commit.commit_time}
    );
    whole.prepare_lsn = prepare_lsn;
    return whole;
}

}  // namespace pgchronicle::replicator::io
