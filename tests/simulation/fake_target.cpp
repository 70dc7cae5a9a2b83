#include "tests/simulation/fake_target.hpp"

#include "tests/simulation/fake_source.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::simulation {

int FakeTarget::connect() {
    if (!up_) throw connection_lost("could not connect to the target");
    if (open_) world_.count("open transaction of the target is rolled back");
    open_ = false;
    rows_.crash();
    return ++connection_;
}

void FakeTarget::require_connection(int connection) const {
    if (!up_ || connection != connection_) throw connection_lost("target closed the connection");
}

void FakeTarget::write_first_checkpoint(const Checkpoint& checkpoint) {
    checkpoint_ = checkpoint;
    MemoryTarget::State state;
    state.position = checkpoint.position;
    state.last_commit_end = checkpoint.last_commit_end;
    rows_ = MemoryTarget{state};
    flushed_ = state;
    backups_.push_back(state);
    reached_.push_back({state.position, world_.now()});
}

void FakeTarget::write(ChangeBatch& batch) {
    try {
        rows_.write(batch);
    } catch (const std::runtime_error& error) {
        world_.fail(error.what());
    }
    open_ = batch.continues;
    world_.trace([&] {
        return "target: " + std::string{batch.continues ? "part of a batch" : "COMMIT"} + ", " +
               std::to_string(batch.transactions.size()) + " transactions, " +
               std::to_string(batch.rows) + " rows, position " +
               std::to_string(batch.position.value);
    });
    if (batch.continues) return world_.count("part of a batch");
    ++commits_;
    const auto& state = rows_.committed();
    checkpoint_->position = state.position;
    checkpoint_->last_commit_end = state.last_commit_end;
    checkpoint_->last_commit_time = state.recorded_time;
    if (state.position > reached_.back().position) {
        reached_.push_back({state.position, world_.now()});
    }
    unflushed_.push_back(state);
    if (world_.chance(8)) backups_.push_back(state);
    flush_soon();
    on_commit_(state);
}

Time FakeTarget::stored_since(Lsn position) const {
    const auto found = std::find_if(reached_.begin(), reached_.end(), [&](const Mark& one) {
        return one.position >= position;
    });
    return found == reached_.end() ? world_.now() : found->at;
}

void FakeTarget::mark(Duration window) {
    const auto now = world_.now() + clock_offset_;
    if (marks_.empty() || marks_.back().position < rows_.position()) {
        marks_.push_back({rows_.position(), now});
    }
    // All but the newest of those that are older than the window.
    const auto old = [&](const Mark& one) { return one.at < now - window; };
    const auto newest = std::find_if(marks_.rbegin(), marks_.rend(), old);
    if (newest != marks_.rend()) marks_.erase(marks_.begin(), newest.base() - 1);
}

std::deque<replicator::HoldBack::Mark> FakeTarget::read_marks() const {
    const auto now = world_.now();
    std::deque<replicator::HoldBack::Mark> marks;
    for (const auto& one : marks_) {
        const auto age = std::max<Duration>(now + clock_offset_ - one.at, Duration{});
        marks.push_back({one.position, now - age});
    }
    return marks;
}

void FakeTarget::flush_soon() {
    const auto delay = world_.up_to(options_.flush_delay_max);
    world_.after(delay, [this, until = commits_] {
        if (world_.now() < disk_stalled_until_) {
            world_.at(disk_stalled_until_, [this] { flush_all(); });
            return;
        }
        while (commits_flushed_ < until && !unflushed_.empty()) {
            flushed_ = std::move(unflushed_.front());
            unflushed_.pop_front();
            ++commits_flushed_;
        }
    });
}

void FakeTarget::flush_all() {
    if (!unflushed_.empty()) flushed_ = std::move(unflushed_.back());
    unflushed_.clear();
    commits_flushed_ = commits_;
}

Duration FakeTarget::job_delay() {
    const auto delay = world_.up_to(options_.job_delay_max);
    return std::max(delay, frozen_until_ - world_.now());
}

void FakeTarget::cut() {
    world_.trace([] { return std::string{"target: connection is cut off"}; });
    ++connection_;
    if (open_) world_.count("open transaction of the target is rolled back");
    open_ = false;
    rows_.crash();
    frozen_until_ = {};
}

void FakeTarget::crash(Duration down) {
    // Some of it may have reached the disk unnoticed.
    const auto reached = world_.below(unflushed_.size() + 1);
    for (std::size_t i = 0; i < reached; ++i) {
        flushed_ = std::move(unflushed_.front());
        unflushed_.pop_front();
    }
    const bool loses = flushed_.position < rows_.position();
    world_.fault(loses ? "target crashes and loses commits" : "target crashes");
    go_back(flushed_);
    restart(down);
}

void FakeTarget::restore(Duration down) {
    if (backups_.empty()) return;
    world_.fault("target is restored from a backup");
    go_back(MemoryTarget::State{backups_[world_.below(backups_.size())]});
    restart(down);
}

void FakeTarget::go_back(const MemoryTarget::State& state) {
    flushed_ = state;
    rows_ = MemoryTarget{flushed_};
    unflushed_.clear();
    commits_flushed_ = commits_;
    const auto position = flushed_.position;
    const auto later = [&](const auto& one) { return one.position > position; };
    std::erase_if(marks_, later);
    std::erase_if(reached_, later);
    std::erase_if(backups_, later);
    if (!checkpoint_) return;
    checkpoint_->position = position;
    checkpoint_->last_commit_end = flushed_.last_commit_end;
    checkpoint_->last_commit_time = flushed_.recorded_time;
}

void FakeTarget::restart(Duration down) {
    world_.fault("target is down");
    up_ = false;
    up_at_ = world_.now() + down;
    cut();
    flush_all();
    world_.at(up_at_, [this] { up_ = world_.now() >= up_at_; });
}

void FakeTarget::heal() {
    options_.lost_one_in = options_.reply_lost_one_in = options_.error_one_in = 0;
    options_.crash_one_in = 0;
    frozen_until_ = {};
    if (disk_stalled_until_ > world_.now()) {
        disk_stalled_until_ = {};
        flush_all();
    }
}

FakeSink::FakeSink(
    FakeTarget& target,
    int connection,
    const Checkpoint& checkpoint,
    Options options
)
    : target_{target}, connection_{connection}, options_{options} {
    stored_.committed = checkpoint.position;
    // What was read may be on disk or not: a flush that comes later tells.
    unflushed_.push_back({checkpoint.position, target_.commits_});
    (void)note_flushed();
}

/// Memory is bounded: what exceeds a batch twice over is cut, and one more change may have come.
void FakeSink::check_size(const ChangeBatch& batch) {
    constexpr std::uint64_t rows_of_a_change = 4;
    if (batch.rows >= 2 * options_.limits.rows_max + rows_of_a_change) {
        target_.world_.fail("a batch of " + std::to_string(batch.rows) + " rows is too large");
    }
    const auto transactions = batch.transactions.size();
    if (transactions > 1 && stored_.committed < options_.singly_until) {
        target_.world_.fail(std::to_string(transactions) + " transactions come in one batch");
    }
}

void FakeSink::fail_now_and_then() {
    auto& world = target_.world_;
    if (world.chance(target_.options_.lost_one_in)) {
        world.fault("target's connection is lost before a write");
        target_.cut();
    }
    target_.require_connection(connection_);
    if (!world.chance(target_.options_.error_one_in)) return;
    world.fault("target has an error that passes");
    target_.cut();
    throw pq::Error{{.sqlstate = "40001", .primary = "could not serialize access"}};
}

Stored FakeSink::note_flushed() {
    while (!unflushed_.empty() && unflushed_.front().commit <= target_.commits_flushed_) {
        stored_.flushed = std::max(stored_.flushed, unflushed_.front().position);
        unflushed_.pop_front();
    }
    return stored_;
}

Stored FakeSink::write(ChangeBatch& batch) {
    auto& world = target_.world_;
    const auto& options = target_.options_;
    target_.require_connection(connection_);
    check_size(batch);
    fail_now_and_then();
    // UPDATE pgchronicle.checkpoint ... WHERE position = what was written last.
    if (!in_transaction_ && stored_.committed != target_.rows_.position()) {
        world.fail("somebody else has moved the checkpoint");
    }
    target_.write(batch);
    in_transaction_ = batch.continues;
    if (batch.continues) return stored_;
    const auto spacing = replicator::HoldBack::spacing(options_.window);
    if (options_.window.count() != 0 && (!marked_ || world.now() - *marked_ >= spacing)) {
        marked_ = world.now();
        target_.mark(options_.window);
    }
    stored_.committed = batch.position;
    unflushed_.push_back({batch.position, target_.commits_});
    if (world.chance(options.crash_one_in)) target_.crash(world.up_to(1s));
    target_.require_connection(connection_);
    if (world.chance(options.reply_lost_one_in)) {
        world.fault("reply to a COMMIT is lost");
        if (world.chance(2)) {
            target_.kill_();
        } else {
            target_.cut();
            throw connection_lost("target closed the connection");
        }
    }
    return note_flushed();
}

Stored FakeSink::poll_flushed() {
    target_.require_connection(connection_);
    return note_flushed();
}

Stored FakeSink::flush() {
    target_.require_connection(connection_);
    // A synchronous commit: it waits for the disk, however slow that is.
    if (!in_transaction_) target_.flush_all();
    return note_flushed();
}

}  // namespace pgchronicle::simulation
