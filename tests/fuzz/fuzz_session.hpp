#pragma once

#include "pgoutput/stream_frame.hpp"
#include "pq/error.hpp"
#include "replicator/ack_tracker.hpp"
#include "replicator/io/transaction_inbox.hpp"
#include "replicator/stream_error.hpp"
#include "replicator/stream_pipeline.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/product_memory.hpp"
#include "tests/property/memory_target.hpp"
#include "tests/property/story.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <variant>

// A session of the replicator without sockets, threads and clocks: frames go in, a history in
// memory comes out, and what may be acknowledged. Follows replicator/io/session.cpp step by step.

namespace pgchronicle::test {

/// What ended a session: the texts that an operator reads.
struct Rejection {
    std::string primary;
    std::string detail;
};

/// How a session runs. None of it may change what the history says; 0 is never, n is once in n
/// chances.
struct SessionOptions {
    history_writer::WireForm form{};
    std::size_t memory_max{1U << 20U};  ///< What is more of a transaction goes to a file.
    std::size_t cut_after_transaction{0};
    std::size_t cut_inside_transaction{0};
    /// At a message of a transaction that may be handed out while it comes.
    std::size_t hand_out{0};
    /// Where it will end, as its commit record says.
    std::function<std::optional<pgoutput::Lsn>(const pgoutput::Begin&)> commit_end{};
};

class FuzzSession {
public:
    using HistoryTablePtr = std::shared_ptr<const history_writer::HistoryTable>;
    using TableOf = std::function<HistoryTablePtr(const pgoutput::Relation&)>;

    /// Goes on where `target` is.
    FuzzSession(MemoryTarget& target, SessionOptions options, TableOf table_of, Random& random)
        : target_{target},
          options_{options},
          table_of_{std::move(table_of)},
          random_{random},
          pipeline_{options.form, target.position(), target.recorded_time()},
          inbox_{
              spool_dir(),
              options.memory_max,
              [this](const pgoutput::RelationMessage& relation) {
                  settle(pipeline_.describe(relation));
              },
              target.position()},
          acks_{target.position()},
          position_{target.position()} {}

    /// Takes the content of one CopyData message; false when the session has ended with it.
    [[nodiscard]] bool on_frame(std::span<const std::byte> frame) {
        require(!rejection_, "a session that has ended takes nothing");
        received_bytes_ += frame.size();
        attempt([&] { take(frame); });
        check();
        return !rejection_;
    }

    /// The stream breaks off here: what is complete is stored, the rest is forgotten.
    void finish() {
        // What has come of a transaction that is not complete is in no batch that ends with it.
        if (!rejection_ && !coming_) {
            attempt([&] {
                if (pipeline_.builder().has_transactions() || position_ > target_.position())
                    hand_over(false);
            });
        }
        check();
        target_.crash();
    }

    [[nodiscard]] const std::optional<Rejection>& rejection() const { return rejection_; }
    /// End of the last transaction that is complete in the batch, and of the last one stored.
    [[nodiscard]] pgoutput::Lsn built_end() const { return built_end_; }
    [[nodiscard]] pgoutput::Lsn stored_end() const { return stored_end_; }
    /// The transaction in hand was handed out before its end: received whole, it might have been
    /// read otherwise, or not at all.
    [[nodiscard]] bool rejected_while_coming() const { return rejection_ && coming_; }
    [[nodiscard]] std::size_t batches() const { return batches_; }
    [[nodiscard]] const ProductMemory& memory() const { return memory_; }

private:
    template <typename Call>
    auto counted(Call call) {
        const ProductMemory::Scope scope{memory_};
        return call();
    }

    template <typename Act>
    void attempt(Act act) {
        try {
            act();
        } catch (const replicator::NeedsOperator& error) {
            reject({error.what(), error.detail()});
        } catch (const pq::Error& error) {
            reject({error.primary(), error.detail()});
        } catch (const MemoryTarget::Refusal& error) {
            reject({"could not write history", error.what()});
        }
    }

    void reject(Rejection rejection) {
        require(!rejection.primary.empty(), "a rejection says what is wrong");
        require(!rejection.detail.empty(), "a rejection says where");
        rejection_ = std::move(rejection);
        // Nothing of the batch in hand is durable, nor of what the target has not committed.
        target_.crash();
    }

    /// What may be acknowledged is in the target, and before what is prepared and not stored.
    void check() {
        const auto prepare = inbox_.oldest_prepare();
        const auto stored = acks_.acknowledgeable();
        const auto told = prepare ? std::min(stored, *prepare) : stored;
        require(told <= target_.position(), "what is acknowledged is stored");
        require(acks_.flushed() >= flushed_before_, "what is stored stays stored");
        flushed_before_ = acks_.flushed();
        const auto bound = memory_fixed + memory_factor * received_bytes_;
        require(memory_.peak() <= bound, "memory is bounded by what came");
    }

    void take(std::span<const std::byte> bytes) {
        const auto frame = counted([&] { return pgoutput::decode_frame(bytes); });
        if (!frame.ok()) {
            throw replicator::NeedsOperator{
                "could not decode a frame of the replication stream", to_string(frame.error())};
        }
        if (const auto* const keepalive = std::get_if<pgoutput::Keepalive>(&*frame)) {
            // Its position may be that of the commit that is still to come.
            if (inbox_.receiving()) return;
            acks_.on_received(keepalive->wal_end);
            position_ = std::max(position_, keepalive->wal_end);
            if (chance(options_.cut_after_transaction)) hand_over(false);
            return;
        }
        const auto payload = std::get_if<pgoutput::XLogData>(&*frame)->payload;
        const auto received = counted([&] { return inbox_.on(payload); });
        using namespace replicator::io;
        if (const auto* const whole = std::get_if<WholeTransaction>(&received)) {
            if (const auto prepare = whole->prepare_lsn)
                acks_.on_commit_prepared(*prepare, whole->commit.end_lsn);
            replay(*whole);
            settle(counted([&] { return pipeline_.apply(whole->commit); }));
            if (chance(options_.cut_after_transaction)) hand_over(false);
        } else if (const auto* const message = std::get_if<MessageComes>(&received)) {
            apply(*coming_, message->payload);
        } else if (const auto* const commit = std::get_if<CommitComes>(&received)) {
            on_coming(commit->commit);
        } else if (std::holds_alternative<PartReceived>(received) && chance(options_.hand_out)) {
            hand_out();
        }
    }

    void replay(const replicator::io::WholeTransaction& transaction) {
        pipeline_.begin(transaction.commit.end_lsn);
        settle(counted([&] { return pipeline_.apply(transaction.begin); }));
        while (true) {
            const auto bytes = counted([&] { return transaction.messages->next(); });
            if (bytes.empty()) return;
            apply(transaction, bytes);
        }
    }

    void
    apply(const replicator::io::WholeTransaction& transaction, std::span<const std::byte> bytes) {
        if (chance(options_.cut_inside_transaction)) hand_over(true);
        const auto message = counted([&] { return pgoutput::decode(bytes, transaction.context); });
        if (!message.ok()) {
            throw replicator::NeedsOperator{
                "could not decode a message of the replication stream", to_string(message.error())};
        }
        if (transaction.skips(*message)) return;
        settle(counted([&] { return pipeline_.apply(*message); }));
    }

    /// The transaction that comes goes into batches from here on, as far as it has come and then
    /// message by message.
    void hand_out() {
        const auto kept = inbox_.kept();
        const auto end = kept ? options_.commit_end(*kept) : std::nullopt;
        if (!end) return;
        // It gets batches of its own.
        if (pipeline_.builder().has_transactions()) hand_over(false);
        coming_ = counted([&] { return inbox_.hand_out(*end); });
        replay(*coming_);
    }

    void on_coming(const pgoutput::Commit& commit) {
        if (commit.end_lsn != coming_->commit.end_lsn) {
            throw replicator::NeedsOperator{"a commit ends elsewhere", to_string(commit.end_lsn)};
        }
        settle(counted([&] { return pipeline_.apply(commit); }));
        coming_.reset();
        if (chance(options_.cut_after_transaction)) hand_over(false);
    }

    void settle(const replicator::StreamPipeline::Outcome& outcome) {
        if (!outcome.ok()) {
            throw replicator::NeedsOperator{outcome.error().primary, outcome.error().detail};
        }
        if (const auto* const done = std::get_if<replicator::TransactionDone>(&*outcome)) {
            built_end_ = done->end_lsn;
            acks_.on_received(done->end_lsn);
            position_ = std::max(position_, done->end_lsn);
        } else if (const auto* const needs = std::get_if<replicator::NeedsTable>(&*outcome)) {
            require(needs->relation != nullptr, "a table is asked for by its relation");
            // Rows of the old shape may go to the target before the new one reaches it.
            if (chance(options_.cut_inside_transaction)) hand_over(true);
            pipeline_.bind(needs->relation->id, table_of_(*needs->relation));
            settle(counted([&] { return pipeline_.resume(); }));
        } else if (std::holds_alternative<replicator::NeedsAnswer>(*outcome)) {
            pipeline_.answer(one_in(random_, 2));
            settle(counted([&] { return pipeline_.resume(); }));
        }
    }

    void hand_over(bool continues) {
        auto& builder = pipeline_.builder();
        if (continues && !builder.has_transactions()) return;  // One that is skipped.
        auto batch = counted([&] { return builder.take(continues); });
        batch.last_commit_end = continues ? pgoutput::Lsn{} : built_end_;
        batch.position = std::max(target_.position(), continues ? pgoutput::Lsn{} : position_);
        batch.last_recorded_time = pipeline_.last_recorded_time();
        target_.write(batch);
        ++batches_;
        if (!continues) {
            stored_end_ = built_end_;
            acks_.on_flushed(batch.position);
        }
        counted([&] { builder.recycle(std::move(batch)); });
    }

    [[nodiscard]] bool chance(std::size_t n) { return n != 0 && one_in(random_, n); }

    /// In memory, where the system has such a folder: half of the inputs make files.
    static const char* spool_dir() {
        static const bool in_memory = ::access("/dev/shm", W_OK) == 0;
        return in_memory ? "/dev/shm" : "/tmp";
    }

    /// What small inputs take whatever they say, and what a byte can make of itself: a row without
    /// columns has 8 and needs a version, a key's state and what vectors keep in reserve.
    static constexpr std::size_t memory_fixed = 256U << 10U;
    static constexpr std::size_t memory_factor = 128;

    MemoryTarget& target_;
    SessionOptions options_;
    TableOf table_of_;
    Random& random_;
    ProductMemory memory_;
    replicator::StreamPipeline pipeline_;
    replicator::io::TransactionInbox inbox_;
    replicator::AckTracker acks_;
    pgoutput::Lsn position_;  ///< Everything of ours up to here has come.
    pgoutput::Lsn built_end_;
    pgoutput::Lsn stored_end_;
    pgoutput::Lsn flushed_before_;
    std::uint64_t received_bytes_{0};
    std::size_t batches_{0};
    std::optional<replicator::io::WholeTransaction> coming_;
    std::optional<Rejection> rejection_;
};

}  // namespace pgchronicle::test
