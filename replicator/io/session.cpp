#include "replicator/io/session.hpp"

#include "failpoint/failpoint.hpp"
#include "pgoutput/stream_frame.hpp"
#include "replicator/stream_error.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::replicator::io {

using namespace std::chrono_literals;

namespace {

/// One turn reads at most this many frames, so that the server hears from us in between.
constexpr int frames_per_turn = 4'096;
/// Of a transaction that is larger, the rows that come next are in no hurry either.
constexpr std::uint64_t large_transaction_bytes = 1U << 20U;
/// A stop that takes longer leaves the rest to the next start; service managers wait longer.
constexpr auto stop_patience = 8s;

StreamError silence(const char* primary) {
    return StreamError{pq::Error{{"08006", primary, "", "", "", true}}};
}

}  // namespace

Session::Session(
    Io io,
    const history_writer::Checkpoint& checkpoint,
    SessionOptions options,
    Parts parts
)
    : options_{std::move(options)},
      parts_{std::move(parts)},
      loop_{io.loop},
      stream_{std::move(io.stream)},
      pace_{stream_->same_host()},
      pipeline_{options_.form, checkpoint.position, checkpoint.last_commit_time},
      policy_{options_.limits},
      acks_{checkpoint.position},
      inbox_{
          options_.spool_dir,
          options_.transaction_memory_max,
          [this](const pgoutput::RelationMessage& relation) { (void)pipeline_.describe(relation); },
          checkpoint.position},
      resumed_at_{checkpoint.position},
      below_checkpoint_{options_.start < checkpoint.position},
      idle_position_{checkpoint.position},
      handed_over_{checkpoint.position},
      writer_{std::move(io.writer)} {
    stored_.committed = checkpoint.position;
    // Room for one batch at its largest.
    pipeline_.builder().keep_at_most(2 * options_.limits.bytes_max);
    const auto now = loop_.now();
    last_status_ = last_received_ = last_asked_ = last_checkpoint_ = last_poll_ = last_recheck_ =
        last_drained_ = progress_logged_ = now;
    failpoint(Failpoint::after_connect);
}

SessionEnd Session::run(std::stop_token stop) {
    const std::stop_callback on_stop{stop, [this] {
                                         loop_.post([this] {
                                             stop_requested_ = true;
                                             step();
                                         });
                                     }};
    loop_.post([this] { step(); });
    loop_.run();
    if (failure_) std::rethrow_exception(failure_);
    return end_.value();
}

void Session::fail(std::exception_ptr failure) {
    if (failure_) return;
    failure_ = std::move(failure);
    loop_.stop();
}

void Session::step() {
    if (failure_ || end_) return;
    try {
        const auto now = loop_.now();
        parts_.beat();
        read(now);
        write_if_due(now);
        look_for_end_if_due();
        poll_flushed_if_due(now);
        recheck_if_due(now);
        send_status_if_due(now);
        check_alive(now);
        check_answered(now);
        finish_if_done(now);
        if (!end_) wait(now);
    } catch (...) {
        fail(std::current_exception());
    }
}

bool Session::may_read() const {
    if (ending() || row_waits()) return false;
    if (oversize_ && !writer_idle()) return false;
    return !policy_.full(batch_state()) || writer_idle();
}

void Session::read(TimePoint now) {
    drained_ = false;
    more_ = false;
    std::uint64_t bytes = 0;
    for (int i = 0; i < frames_per_turn; ++i) {
        if (replaying_ && !direct_) {
            if (!replay()) break;
            continue;
        }
        if (direct_) {
            if (!ready_for_coming()) break;
        } else if (policy_.full(batch_state()) && writer_idle()) {
            hand_over(false);
        }
        if (!may_read()) break;
        const auto frame = stream_->next();
        if (frame.empty()) {
            drained_ = true;
            break;
        }
        last_received_ = now;
        bytes += frame.size();
        on_frame(frame);
        more_ = i + 1 == frames_per_turn;
    }
    if (stream_->ended()) {
        throw StreamError{pq::Error{{"57P01", "source is shutting down", "", "", "", true}}};
    }
    policy_.on_rows(pipeline_.builder().rows(), now);
    step_bytes_ += bytes;
    if (!drained_) return;
    pace_.on_read(std::exchange(step_bytes_, 0), now - std::exchange(last_drained_, now));
}

void Session::on_frame(std::span<const std::byte> bytes) {
    const auto frame = pgoutput::decode_frame(bytes);
    if (!frame.ok()) {
        throw NeedsOperator{
            "could not decode a frame of the replication stream", to_string(frame.error())};
    }
    if (const auto* keepalive = std::get_if<pgoutput::Keepalive>(&*frame)) {
        on_keepalive(*keepalive);
        return;
    }
    on_message(std::get_if<pgoutput::XLogData>(&*frame)->payload);
}

void Session::on_keepalive(const pgoutput::Keepalive& keepalive) {
    if (keepalive.reply_requested) reply_due_ = true;
    // Its position may be that of the commit we are still waiting for.
    if (inbox_.receiving()) return;
    // A source that stands where the checkpoint does says so at the start, too, when it has not
    // looked yet at what it has to send.
    const bool had_nothing = stored_.committed >= options_.source_end;
    if (had_nothing && keepalive.wal_end == stored_.committed) parts_.on_progress();
    if (keepalive.wal_end >= resumed_at_) below_checkpoint_ = false;
    acks_.on_received(keepalive.wal_end);
    idle_position_ = std::max(idle_position_, keepalive.wal_end);
    // A server that shuts down asks until it hears that this is stored.
    if (keepalive.reply_requested && idle_position_ > handed_over_) progress_wanted_ = true;
    if (options_.until && keepalive.wal_end >= *options_.until) reached_until_ = true;
}

void Session::on_message(std::span<const std::byte> payload) {
    const auto tag = payload.empty() ? '\0' : static_cast<char>(payload.front());
    if (tag == 'I' || tag == 'U' || tag == 'D') {
        failpoint(Failpoint::mid_row_frame);
        if (++transaction_rows_ > 1) failpoint(Failpoint::mid_transaction);
    }
    const auto received = inbox_.on(payload);
    if (const auto* begins = std::get_if<TransactionBegins>(&received)) {
        transaction_rows_ = 0;
        if (begins->begin.final_lsn >= resumed_at_) below_checkpoint_ = false;
        if (is_behind_end(begins->begin)) return;
        failpoint(Failpoint::after_begin);
    } else if (const auto* whole = std::get_if<WholeTransaction>(&received)) {
        const auto end_lsn = whole->commit.end_lsn;
        if (end_lsn >= resumed_at_) below_checkpoint_ = false;
        if (whole->prepare_lsn) acks_.on_commit_prepared(*whole->prepare_lsn, end_lsn);
        if (!is_behind_end(whole->begin)) begin_replay(*whole);
    } else if (const auto* message = std::get_if<MessageComes>(&received)) {
        on_coming(message->payload);
    } else if (const auto* commit = std::get_if<CommitComes>(&received)) {
        on_coming(commit->commit);
    }
}

bool Session::is_behind_end(const pgoutput::Begin& begin) {
    if (!options_.until || begin.final_lsn < *options_.until) return false;
    reached_until_ = true;
    idle_position_ = std::max(idle_position_, *options_.until);
    acks_.on_received(*options_.until);
    return true;
}

BatchPolicy::State Session::batch_state() const {
    const auto& builder = pipeline_.builder();
    const bool closed = singly() && builder.has_transactions() && !replaying_;
    return {builder.rows(), builder.bytes(), writer_idle(), drained_ || ending(), closed};
}

Lsn Session::taken_in() const {
    return replaying_ ? std::max(acks_.received(), replaying_->commit.end_lsn) : acks_.received();
}

void Session::start_job(std::function<void()> job, std::function<void()> then) {
    job_running_ = true;
    writer_->start(std::move(job), [this, then = std::move(then)](std::exception_ptr failure) {
        loop_.post([this, then, failure] {
            job_running_ = false;
            asking_since_.reset();
            if (failure) {
                const auto late = silence("source has not answered for too long");
                fail(unanswered_for_long_ ? std::make_exception_ptr(late) : failure);
                return;
            }
            then();
            step();
        });
    });
}

void Session::ask_source(std::function<void()> job, std::function<void()> then) {
    asking_since_ = loop_.now();
    start_job(std::move(job), std::move(then));
}

/// Only the stream speaks by itself; an answer that something between us has swallowed would be
/// waited for without end.
void Session::check_answered(TimePoint now) {
    if (unanswered_for_long_ || !asking_since_) return;
    if (now - *asking_since_ < options_.receive_timeout) return;
    unanswered_for_long_ = true;
    parts_.on_unanswered();
}

void Session::check_alive(TimePoint now) {
    if (!drained_) {
        last_received_ = std::max(last_received_, now - options_.status_interval);
        return;  // We are not reading, so silence means nothing.
    }
    if (now - last_received_ < options_.receive_timeout) return;
    throw silence("source has been silent for too long");
}

void Session::finish_if_done(TimePoint now) {
    if (stop_requested_ && !stop_at_) stop_at_ = now;
    if (stop_at_ && now - *stop_at_ >= stop_patience && !cut_off_) {
        cut_off_ = true;
        parts_.on_stuck();
        end_ = SessionEnd::stopped;
        loop_.stop();
        return;
    }
    if (!ending() || !writer_idle() || row_waits()) return;
    const bool leaves_out = left_out();
    if (replaying_ && !leaves_out) return;
    if (pipeline_.builder().rows() > 0 && !leaves_out) return;
    // While the target's transaction is open, it cannot be asked how far its disk has come.
    const auto wanted = leaves_out ? stored_.committed : idle_position_;
    if (stored_.flushed < wanted && !open_in_target_) return;
    send_status(now, false);
    log_progress();
    end_ = reached_until_      ? SessionEnd::until_reached
           : leaving_for_copy_ ? SessionEnd::copy_due
                               : SessionEnd::stopped;
    loop_.stop();
}

void Session::wait(TimePoint now) {
    if (more_) {
        loop_.post([this] { step(); });
        return;
    }
    const bool large = coming_ || inbox_.received_bytes() >= large_transaction_bytes;
    const bool busy = drained_ && (large || policy_.busy(now));
    const bool reads = may_read() && (!replaying_ || direct_);
    if (reads && !busy) stream_->when_readable([this] { step(); });
    auto until = now + std::min<Clock::duration>(options_.status_interval, 1s);
    const auto sooner = [&](TimePoint at) { until = std::min(until, std::max(at, now)); };
    // Much at once, and not each small message as it comes.
    if (busy) sooner(now + pace_.pause());
    // While a transaction is replayed nothing is written, and while one is open in the target,
    // that is not asked: neither must wake us again and again.
    if (const auto at = policy_.deadline(); at && writer_idle() && !replaying_)
        sooner(std::max(*at, now + 1ms));
    if (stored_.flushed < stored_.committed && writer_idle() && !open_in_target_)
        sooner(last_poll_ + flush_poll_interval);
    if (acknowledgeable() > told_) sooner(last_status_ + acknowledge_spacing);
    if (options_.until) sooner(now + ask_interval);
    sooner(last_status_ + options_.status_interval);
    loop_.call_at(until, [this] { step(); });
}

}  // namespace pgchronicle::replicator::io
