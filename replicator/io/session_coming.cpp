#include "pgoutput/decode.hpp"
#include "replicator/io/session.hpp"
#include "replicator/stream_error.hpp"

// How a large transaction goes into batches while it comes. Its versions need to know where its
// commit ends, which the server says last; the WAL knows it before.

namespace pgchronicle::replicator::io {

void Session::look_for_end_if_due() {
    if (!parts_.commit_end || replaying_ || ending() || !writer_idle()) return;
    const auto begin = inbox_.kept();
    if (!begin || begin->final_lsn == looked_for_) return;
    if (options_.until && begin->final_lsn >= *options_.until) return;
    if (!policy_.full({.rows = inbox_.received_messages(), .bytes = inbox_.received_bytes()}))
        return;
    looked_for_ = begin->final_lsn;
    auto end = std::make_shared<std::optional<Lsn>>();
    start_job(
        [this, end, begin] { *end = parts_.commit_end(*begin); },
        [this, end, begin] {
            if (*end) hand_out(*begin, **end);
        }
    );
}

void Session::hand_out(const pgoutput::Begin& begin, Lsn end_lsn) {
    const auto kept = inbox_.kept();
    // Meanwhile it may have come whole, and been followed by others.
    if (!kept || kept->final_lsn != begin.final_lsn || ending()) return;
    parts_.log.debug(
        "large_transaction", {{"commit", to_string(begin.final_lsn)}, {"end", to_string(end_lsn)}}
    );
    begin_replay(inbox_.hand_out(end_lsn));
    alone_ = true;
    coming_ = true;
}

/// Whether there is room for its next message.
bool Session::ready_for_coming() {
    if (pipeline_.waits() && !resume()) return false;
    if (left_out()) return false;
    if (!policy_.full(batch_state())) return true;
    if (!writer_idle()) return false;
    hand_over(true);
    return true;
}

void Session::on_coming(std::span<const std::byte> payload) {
    const auto message = pgoutput::decode(payload, replaying_->context);
    if (!message.ok()) {
        throw NeedsOperator{
            "could not decode a message of the replication stream", to_string(message.error())};
    }
    (void)settle(pipeline_.apply(*message));
}

void Session::on_coming(const pgoutput::Commit& commit) {
    if (commit.end_lsn != replaying_->commit.end_lsn) {
        // What was written of it is in a transaction of the target that has not ended.
        parts_.on_wrong_end();
        throw StreamError{pq::Error{
            {.primary = "a commit record ends elsewhere than it was read to end",
             .detail = "It begins at " + to_string(commit.commit_lsn) + " and ends at " +
                       to_string(commit.end_lsn) + ", not at " +
                       to_string(replaying_->commit.end_lsn) +
                       ". Large transactions are received whole from now on.",
             .connection_lost = true}}};
    }
    (void)settle(pipeline_.apply(commit));
    replaying_.reset();
    coming_ = direct_ = false;
}

}  // namespace pgchronicle::replicator::io
