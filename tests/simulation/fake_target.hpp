#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/sink.hpp"
#include "replicator/batch_policy.hpp"
#include "replicator/hold_back.hpp"
#include "tests/property/memory_target.hpp"
#include "tests/simulation/world.hpp"

#include <deque>
#include <functional>
#include <optional>

// A target whose commits reach the disk later, and the sink that writes to it.

namespace pgchronicle::simulation {

using history_writer::ChangeBatch;
using history_writer::Checkpoint;
using history_writer::Stored;
using pgoutput::Lsn;
using test::MemoryTarget;

struct TargetOptions {
    Duration flush_delay_max{200ms};   ///< From a commit to the disk.
    Duration job_delay_max{5ms};       ///< What a write takes.
    std::size_t lost_one_in{0};        ///< Writes whose connection is lost before,
    std::size_t reply_lost_one_in{0};  ///< or whose COMMIT is not answered.
    std::size_t crash_one_in{0};       ///< Commits after which the server crashes at once.
    std::size_t error_one_in{0};       ///< Errors that pass.
};

class FakeTarget {
public:
    using Kill = std::function<void()>;
    /// `on_commit`: after each commit, with what readers see from now on.
    using OnCommit = std::function<void(const MemoryTarget::State&)>;
    FakeTarget(World& world, TargetOptions options, OnCommit on_commit, Kill kill)
        : world_{world},
          options_{options},
          on_commit_{std::move(on_commit)},
          kill_{std::move(kill)} {}

    [[nodiscard]] bool up() const { return up_; }
    /// A new connection: the server has noticed that the one before is gone.
    int connect();
    /// The row of pgchronicle.checkpoint.
    [[nodiscard]] const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }
    void write_first_checkpoint(const Checkpoint& checkpoint);
    /// What a crash just now would leave of the checkpoint's position.
    [[nodiscard]] Lsn flushed_position() const { return flushed_.position; }
    /// What readers see.
    [[nodiscard]] const MemoryTarget::State& rows() const { return rows_.committed(); }
    /// Since when the checkpoint has been there or beyond; now, if it is not.
    [[nodiscard]] Time stored_since(Lsn position) const;
    /// pgchronicle.position_mark, with the times that follow from the ages it tells.
    [[nodiscard]] std::deque<replicator::HoldBack::Mark> read_marks() const;

    // What can go wrong.
    void crash(Duration down);
    void restart(Duration down);
    /// The connection that is open now is cut off.
    void cut();
    /// Until then, writes do not end.
    void freeze(Duration duration) { frozen_until_ = world_.now() + duration; }
    /// Until then, nothing reaches the disk by itself.
    void stall_disk(Duration duration) { disk_stalled_until_ = world_.now() + duration; }
    /// Its clock is not the one that we go by.
    void jump_clock(Duration by) { clock_offset_ += by; }
    /// Back to what was committed some time ago.
    void restore(Duration down);
    /// All is well again.
    void heal();

    /// What a job on the target takes.
    [[nodiscard]] Duration job_delay();

private:
    friend class FakeSink;

    void require_connection(int connection) const;
    void write(ChangeBatch& batch);
    void flush_soon();
    void flush_all();
    void go_back(const MemoryTarget::State& state);
    void mark(Duration window);

    World& world_;
    TargetOptions options_;
    OnCommit on_commit_;
    Kill kill_;
    bool up_{true};
    Time up_at_{};
    Time frozen_until_{};
    Time disk_stalled_until_{};
    int connection_{0};  ///< The one that is served.
    MemoryTarget rows_;
    bool open_{false};  ///< A transaction is.
    std::optional<Checkpoint> checkpoint_;
    MemoryTarget::State flushed_;
    std::deque<MemoryTarget::State> unflushed_;  ///< Commits that a crash may take back.
    std::deque<MemoryTarget::State> backups_;
    struct Mark {
        Lsn position;
        Time at;
    };
    std::deque<Mark> marks_;    ///< By the clock of the target.
    std::deque<Mark> reached_;  ///< Which position was committed when.
    Duration clock_offset_{};
    std::uint64_t commits_{0};
    std::uint64_t commits_flushed_{0};
};

/// What PgHistorySink is to PostgreSQL: one transaction for rows and checkpoint, asynchronous
/// commits, and a flushed position that follows the server's.
class FakeSink : public history_writer::Sink {
public:
    struct Options {
        replicator::BatchLimits limits;      ///< What a batch must not exceed much.
        std::chrono::milliseconds window{};  ///< Positions are marked for that long; zero: not.
        Lsn singly_until;                    ///< Below, each transaction comes by itself.
    };
    FakeSink(FakeTarget& target, int connection, const Checkpoint& checkpoint, Options options);

    Stored write(ChangeBatch& batch) override;
    Stored poll_flushed() override;
    Stored flush() override;

private:
    struct Unflushed {
        Lsn position;
        std::uint64_t commit;
    };

    void check_size(const ChangeBatch& batch);
    void fail_now_and_then();
    Stored note_flushed();

    FakeTarget& target_;
    int connection_;
    Options options_;
    Stored stored_;
    bool in_transaction_{false};
    std::optional<Time> marked_;
    std::deque<Unflushed> unflushed_;
};

}  // namespace pgchronicle::simulation
