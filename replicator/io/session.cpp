#include "replicator/io/session.hpp"

#include "failpoint/failpoint.hpp"
#include "pgoutput/stream_frame.hpp"
#include "replicator/stream_error.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace pgchronicle::replicator::io {

using history_writer::ChangeBatch;
using namespace std::chrono_literals;

namespace {

/// One turn reads at most this many frames, so that the server hears from us in between.
constexpr int frames_per_turn = 4'096;
/// Of a transaction that is larger, the rows that come next are in no hurry either.
constexpr std::uint64_t large_transaction_bytes = 1U << 20U;
/// How often the target is asked how far its disk has come, while something waits for it.
constexpr auto flush_poll_interval = 50ms;
/// An acknowledgement that moves is sent at once, but not more often than this.
constexpr auto acknowledge_spacing = 100ms;
/// A stop that takes longer leaves the rest to the next start; service managers wait longer.
constexpr auto stop_patience = 8s;
/// PostgreSQL 18 streams on in silence when a publication is gone, so it is looked for.
constexpr auto recheck_interval = 10s;
/// How often the log says what was written.
constexpr auto progress_interval = 60s;
/// How often a server that is silent is asked to say where it is, while we wait for a position.
constexpr auto ask_interval = 250ms;

/// PostgreSQL 18 passes over changes whose publication it cannot load and says only this; earlier
/// versions fail with undefined_object. The text is translated, severity and SQLSTATE are not.
pq::Connection watched(pq::Connection source, std::optional<std::string>& skipped) {
    constexpr std::string_view not_in_prerequisite_state = "55000";
    source.on_notice([&skipped](auto severity, auto sqlstate, std::string_view message) {
        if (severity == "WARNING" && sqlstate == not_in_prerequisite_state) skipped = message;
    });
    return source;
}

/// What `call` gives, with errors marked as the stream's.
template <typename Call>
auto of_stream(Call call) {
    try {
        return call();
    } catch (const pq::Error& error) {
        throw StreamError{error};
    }
}

}  // namespace

Session::Session(
    pq::Connection source,
    const history_writer::Checkpoint& checkpoint,
    SessionOptions options,
    Parts parts
)
    : options_{std::move(options)},
      parts_{std::move(parts)},
      timer_{context_},
      stream_(of_stream([&] {
          return ReplicationStream{
              context_.get_executor(),
              watched(std::move(source), skipped_),
              options_.start_command};
      })),
      pace_{stream_.same_host()},
      pipeline_{options_.form, checkpoint.position, checkpoint.last_commit_time},
      policy_{options_.limits},
      acks_{checkpoint.position},
      inbox_{
          options_.spool_dir,
          options_.transaction_memory_max,
          [this](const pgoutput::RelationMessage& relation) {
              (void)pipeline_.describe(relation);
          }},
      idle_position_{checkpoint.position},
      handed_over_{checkpoint.position} {
    stored_.committed = checkpoint.position;
    // Room for one batch at its largest.
    pipeline_.builder().keep_at_most(2 * options_.limits.bytes_max);
    const auto now = Clock::now();
    last_status_ = last_received_ = last_asked_ = last_checkpoint_ = last_poll_ = last_recheck_ =
        last_drained_ = progress_logged_ = now;
    failpoint(Failpoint::after_connect);
}

SessionEnd Session::run(std::stop_token stop) {
    const std::stop_callback on_stop{stop, [this] {
                                         boost::asio::post(context_, [this] {
                                             stop_requested_ = true;
                                             step();
                                         });
                                     }};
    boost::asio::post(context_, [this] { step(); });
    context_.run();
    if (failure_) std::rethrow_exception(failure_);
    return end_.value();
}

void Session::fail(std::exception_ptr failure) {
    if (failure_) return;
    failure_ = std::move(failure);
    context_.stop();
}

void Session::step() {
    if (failure_ || end_) return;
    try {
        const auto now = Clock::now();
        parts_.beat();
        read(now);
        write_if_due(now);
        look_for_end_if_due();
        poll_flushed_if_due(now);
        recheck_if_due(now);
        send_status_if_due(now);
        check_alive(now);
        finish_if_done(now);
        if (!end_) wait(now);
    } catch (...) {
        fail(std::current_exception());
    }
}

bool Session::may_read() const {
    if (ending() || row_waits()) return false;
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
        const auto frame = next_frame();
        if (frame.empty()) {
            drained_ = true;
            break;
        }
        last_received_ = now;
        bytes += frame.size();
        on_frame(frame);
        more_ = i + 1 == frames_per_turn;
    }
    if (stream_.ended()) {
        throw StreamError{pq::Error{{"57P01", "source is shutting down", "", "", "", true}}};
    }
    policy_.on_rows(pipeline_.builder().rows(), now);
    step_bytes_ += bytes;
    if (!drained_) return;
    pace_.on_read(std::exchange(step_bytes_, 0), now - std::exchange(last_drained_, now));
}

std::span<const std::byte> Session::next_frame() {
    const auto frame = of_stream([&] { return stream_.next(); });
    // libpq meets a notice on its way to the next frame: this one came after it, and says how far
    // the source has come, which is past what it left out.
    constexpr const char* undefined_object = "42704";
    if (skipped_)
        throw StreamError{pq::Error{{.sqlstate = undefined_object, .primary = *skipped_}}};
    return frame;
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
    acks_.on_received(keepalive.wal_end);
    idle_position_ = std::max(idle_position_, keepalive.wal_end);
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
        if (is_behind_end(begins->begin)) return;
        failpoint(Failpoint::after_begin);
    } else if (const auto* whole = std::get_if<WholeTransaction>(&received)) {
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
    return {builder.rows(), builder.bytes(), writer_idle(), drained_ || ending()};
}

void Session::start_job(std::function<void()> job, std::function<void()> then) {
    job_running_ = true;
    writer_.start(std::move(job), [this, then = std::move(then)](std::exception_ptr failure) {
        boost::asio::post(context_, [this, then, failure] {
            job_running_ = false;
            if (failure) {
                fail(failure);
                return;
            }
            then();
            step();
        });
    });
}

void Session::hand_over(bool continues) {
    const auto now = Clock::now();
    policy_.on_rows(pipeline_.builder().rows(), now);
    written_ = std::make_shared<ChangeBatch>(pipeline_.builder().take(continues));
    written_->last_commit_end = continues ? Lsn{} : built_end_;
    written_->position = std::max(handed_over_, continues ? Lsn{} : idle_position_);
    written_->last_recorded_time = pipeline_.last_recorded_time();
    if (!continues) handed_over_ = written_->position;
    open_in_target_ = continues;
    policy_.on_handed_over();
    last_checkpoint_ = now;
    auto stored = std::make_shared<history_writer::Stored>();
    start_job(
        [this, stored, batch = written_] { *stored = parts_.sink.write(*batch); },
        [this, stored] {
            note_stored(*stored);
            note_written(*written_);
            if (!written_->continues) parts_.on_progress();
            pipeline_.builder().recycle(std::move(*written_));
            written_.reset();
        }
    );
}

void Session::note_written(const ChangeBatch& batch) {
    progress_.transactions += batch.transactions.size() - (batch.continues ? 1 : 0);
    progress_.rows += batch.rows;
    progress_.values_inherited += batch.values_inherited;
    if (parts_.log.enabled(log::Level::debug)) {
        parts_.log.debug(
            "batch_written",
            {{"transactions", batch.transactions.size()},
             {"rows", batch.rows},
             {"values_inherited", batch.values_inherited},
             {"position", to_string(batch.position)}}
        );
    }
    if (Clock::now() - progress_logged_ >= progress_interval) log_progress();
}

void Session::log_progress() {
    if (progress_.rows > 0) {
        parts_.log.info(
            "progress",
            {{"transactions", progress_.transactions},
             {"rows", progress_.rows},
             {"values_inherited", progress_.values_inherited},
             {"position", to_string(stored_.committed)}}
        );
    }
    progress_ = {};
    progress_logged_ = Clock::now();
}

Lsn Session::acknowledgeable() const {
    // The server sends a prepared transaction again only to who has not passed its PREPARE.
    const auto prepare = inbox_.oldest_prepare();
    return prepare ? std::min(acks_.flushed(), *prepare) : acks_.flushed();
}

void Session::note_stored(const history_writer::Stored& stored) {
    stored_ = stored;
    acks_.on_flushed(stored.flushed);
}

void Session::write_if_due(TimePoint now) {
    if (!writer_idle() || replaying_) return;
    const auto state = batch_state();
    auto& builder = pipeline_.builder();
    // A transaction that has begun in the target ends there before anything else is written.
    if (open_in_target_ || (ending() && builder.rows() > 0) || policy_.hand_over(state, now)) {
        hand_over(false);
        return;
    }
    // Nothing but progress: a transaction of excluded tables, or a keepalive's position.
    const bool progress = builder.has_transactions() || idle_position_ > handed_over_;
    const bool due = ending() || now - last_checkpoint_ >= options_.acknowledge_interval;
    if (progress && builder.rows() == 0 && due) hand_over(false);
}

void Session::poll_flushed_if_due(TimePoint now) {
    if (stored_.flushed >= stored_.committed || !writer_idle() || open_in_target_) return;
    if (now - last_poll_ < flush_poll_interval) return;
    last_poll_ = now;
    auto stored = std::make_shared<history_writer::Stored>();
    start_job(
        [this, stored, hurry = ending()] {
            *stored = hurry ? parts_.sink.flush() : parts_.sink.poll_flushed();
        },
        [this, stored] { note_stored(*stored); }
    );
}

void Session::recheck_if_due(TimePoint now) {
    if (!writer_idle() || ending() || open_in_target_ || now - last_recheck_ < recheck_interval)
        return;
    last_recheck_ = now;
    start_job(
        [this] { parts_.tables.recheck(); },
        [this] {
            if (parts_.tables.copy_due() && !replaying_) leaving_for_copy_ = true;
        }
    );
}

void Session::send_status_if_due(TimePoint now) {
    const bool moved = acknowledgeable() > told_ && now - last_status_ >= acknowledge_spacing;
    const bool wanted = options_.until.has_value() && drained_ && !ending();
    const bool ask = now - last_received_ >= options_.status_interval ||
                     (wanted && now - last_asked_ >= ask_interval);
    if (reply_due_ || moved || now - last_status_ >= options_.status_interval ||
        (ask && now - last_asked_ >= ask_interval)) {
        send_status(now, ask);
    }
}

void Session::send_status(TimePoint now, bool ask) {
    const auto acknowledged = acknowledgeable();
    of_stream([&] { stream_.send({acks_.received(), acknowledged, acknowledged, {}, ask}); });
    const bool moved = acknowledged > told_;
    told_ = acknowledged;
    last_status_ = now;
    reply_due_ = false;
    if (ask) last_asked_ = now;
    if (moved) failpoint(Failpoint::ack_sent_not_flushed);
}

void Session::check_alive(TimePoint now) {
    if (!drained_) {
        last_received_ = std::max(last_received_, now - options_.status_interval);
        return;  // We are not reading, so silence means nothing.
    }
    if (now - last_received_ < options_.receive_timeout) return;
    throw StreamError{
        pq::Error{{"08006", "source has been silent for too long", "", "", "", true}}};
}

void Session::finish_if_done(TimePoint now) {
    if (stop_requested_ && !stop_at_) stop_at_ = now;
    if (stop_at_ && now - *stop_at_ >= stop_patience && !cut_off_) {
        cut_off_ = true;
        parts_.on_stuck();
        end_ = SessionEnd::stopped;
        context_.stop();
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
    context_.stop();
}

void Session::wait(TimePoint now) {
    if (more_) {
        boost::asio::post(context_, [this] { step(); });
        return;
    }
    const bool large = coming_ || inbox_.received_bytes() >= large_transaction_bytes;
    const bool busy = drained_ && (large || policy_.busy(now));
    const bool reads = may_read() && (!replaying_ || direct_);
    if (reads && !busy) stream_.when_readable([this] { step(); });
    auto until = now + std::min<Clock::duration>(options_.status_interval, 1s);
    const auto sooner = [&](TimePoint at) { until = std::min(until, std::max(at, now)); };
    // Much at once, and not each small message as it comes.
    if (busy) sooner(now + pace_.pause());
    if (const auto at = policy_.deadline(); at && writer_idle()) sooner(std::max(*at, now + 1ms));
    if (stored_.flushed < stored_.committed && writer_idle())
        sooner(last_poll_ + flush_poll_interval);
    if (acknowledgeable() > told_) sooner(last_status_ + acknowledge_spacing);
    if (options_.until) sooner(now + ask_interval);
    sooner(last_status_ + options_.status_interval);
    timer_.expires_at(until);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) step();
    });
}

}  // namespace pgchronicle::replicator::io
