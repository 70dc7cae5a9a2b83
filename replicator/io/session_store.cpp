#include "failpoint/failpoint.hpp"
#include "replicator/io/session.hpp"

#include <algorithm>
#include <utility>

// What has been built goes to the target, and what is stored there is told to the source.

namespace pgchronicle::replicator::io {

using namespace std::chrono_literals;

namespace {

/// PostgreSQL 18 streams on in silence when a publication is gone, so it is looked for.
constexpr auto recheck_interval = 10s;
/// How often the log says what was written.
constexpr auto progress_interval = 60s;

}  // namespace

void Session::hand_over(bool continues) {
    const auto now = loop_.now();
    policy_.on_rows(pipeline_.builder().rows(), now);
    const auto bytes = pipeline_.builder().bytes();
    oversize_ = bytes > 2 * options_.limits.bytes_max;
    written_ = std::make_shared<ChangeBatch>(pipeline_.builder().take(continues));
    written_->last_commit_end = continues ? Lsn{} : built_end_;
    written_->position = std::max(handed_over_, continues ? Lsn{} : idle_position_);
    written_->last_recorded_time = pipeline_.last_recorded_time();
    if (!continues) handed_over_ = written_->position;
    open_in_target_ = continues;
    policy_.on_handed_over();
    last_checkpoint_ = now;
    progress_wanted_ = false;
    auto stored = std::make_shared<history_writer::Stored>();
    start_job(
        [this, stored, batch = written_] { *stored = parts_.sink.write(*batch); },
        [this, stored, bytes, now] {
            note_stored(*stored);
            note_written(*written_, bytes, now);
            if (!written_->continues) parts_.on_progress();
            pipeline_.builder().recycle(std::move(*written_));
            written_.reset();
        }
    );
}

void Session::note_written(const ChangeBatch& batch, std::uint64_t bytes, TimePoint begun) {
    const auto ended = batch.transactions.size() - (batch.continues ? 1 : 0);
    progress_.transactions += ended;
    progress_.rows += batch.rows;
    progress_.values_inherited += batch.values_inherited;
    if (parts_.on_batch) {
        parts_.on_batch(
            {ended, batch.rows, bytes, batch.values_inherited, loop_.now() - begun, batch.position}
        );
    }
    if (parts_.log.enabled(log::Level::debug)) {
        parts_.log.debug(
            "batch_written",
            {{"transactions", batch.transactions.size()},
             {"rows", batch.rows},
             {"values_inherited", batch.values_inherited},
             {"position", to_string(batch.position)}}
        );
    }
    if (loop_.now() - progress_logged_ >= progress_interval) log_progress();
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
    progress_logged_ = loop_.now();
}

Lsn Session::acknowledgeable() const {
    auto lsn = std::min(
        acks_.acknowledgeable(), options_.hold_back.acknowledgeable(acks_.flushed(), loop_.now())
    );
    // Below the checkpoint, prepared transactions may still come again; those that have come are
    // held until they are committed.
    if (below_checkpoint_) lsn = std::min(lsn, options_.start);
    const auto prepare = inbox_.oldest_prepare();
    return prepare ? std::min(lsn, *prepare) : lsn;
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
    const bool due =
        ending() || progress_wanted_ || now - last_checkpoint_ >= options_.acknowledge_interval;
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
    ask_source(
        [this] { parts_.tables.recheck(); },
        [this] {
            if (parts_.tables.copy_due() && !replaying_) leaving_for_copy_ = true;
        }
    );
}

void Session::send_status_if_due(TimePoint now) {
    options_.hold_back.on_flushed(acks_.flushed(), now);
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
    const bool moved = acknowledged > told_;
    const auto tell = [&](Lsn flushed, bool reply) {
        stream_->send({acks_.received(), flushed, flushed, {}, reply});
    };
    // A server that shuts down waits until the last it heard is all that it sent. What is held back
    // or prepared it would wait for in vain; 0/0 says nothing, and it goes by what was received.
    const bool holds = options_.hold_back.active() || acknowledged < acks_.flushed();
    if (!holds || moved) tell(acknowledged, ask && !holds);
    if (holds) tell(Lsn{}, ask);
    told_ = acknowledged;
    last_status_ = now;
    reply_due_ = false;
    if (ask) last_asked_ = now;
    if (moved) failpoint(Failpoint::ack_sent_not_flushed);
}

}  // namespace pgchronicle::replicator::io
