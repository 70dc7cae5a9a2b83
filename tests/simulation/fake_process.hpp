#pragma once

#include "replicator/io/loop.hpp"
#include "replicator/io/session.hpp"
#include "replicator/io/worker.hpp"
#include "tests/simulation/world.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

// What a process has: its thread, its writer's thread, and what it knows of tables.

namespace pgchronicle::simulation {

/// Whether the process lives, and until when it stands still: SIGSTOP, or a machine without time.
struct Process {
    bool killed{false};
    Time stands_still_until{};
};

/// A session's thread, in the world's time. `run` throws Killed when the process dies.
class FakeLoop : public replicator::io::Loop {
public:
    FakeLoop(World& world, const Process& process)
        : life_{std::make_shared<Life>(Life{world, process})} {}

    [[nodiscard]] Time now() const override { return life_->world.now(); }
    void post(Call call) override { at(life_, now(), std::move(call)); }
    void call_at(Time time, Call call) override {
        const auto number = ++life_->timer;
        at(life_, time, [life = life_.get(), number, call = std::move(call)] {
            if (life->timer == number) call();
        });
    }
    void run() override {
        while (!life_->stopped) {
            life_->world.step();
            if (life_->process.killed) throw Killed{};
        }
    }
    void stop() override { life_->stopped = true; }

private:
    struct Life {
        World& world;
        const Process& process;
        bool stopped{false};
        std::uint64_t timer{0};
    };

    /// What was to run while the process stands still runs when it goes on.
    static void at(const std::shared_ptr<Life>& life, Time time, Call call) {
        life->world.at(time, [weak = std::weak_ptr{life}, call = std::move(call)]() mutable {
            const auto alive = weak.lock();
            if (!alive || alive->stopped) return;
            const auto until = alive->process.stands_still_until;
            if (alive->world.now() < until) return at(alive, until, std::move(call));
            call();
        });
    }

    std::shared_ptr<Life> life_;
};

/// A writer's thread: a job has its effect some time after it was given, and its end is known some
/// time after that. When the process dies in between, nobody knows whether it had one.
class FakeWorker : public replicator::io::Worker {
public:
    using Delay = std::function<Duration()>;
    FakeWorker(World& world, Delay delay, const Process& process)
        : world_{world}, delay_{std::move(delay)}, process_{process} {}

    ~FakeWorker() override {
        if (!hand_->job || (process_.killed && world_.chance(2))) return;
        run(*hand_);
    }

    void start(std::function<void()> job, Done on_done) override {
        if (hand_->job || hand_->done) world_.fail("a job is given while another one runs");
        hand_->job = std::move(job);
        hand_->done = std::move(on_done);
        world_.after(delay_(), [this, life = std::weak_ptr{hand_}] {
            const auto hand = life.lock();
            if (!hand) return;
            run(*hand);
            world_.after(delay_() / 2, [life] {
                const auto at_end = life.lock();
                if (!at_end) return;
                std::exchange(at_end->done, nullptr)(at_end->failure);
            });
        });
    }

private:
    struct Hand {
        std::function<void()> job;
        Done done;
        std::exception_ptr failure;
    };

    static void run(Hand& hand) {
        hand.failure = nullptr;
        try {
            std::exchange(hand.job, nullptr)();
        } catch (...) {
            hand.failure = std::current_exception();
        }
    }

    World& world_;
    Delay delay_;
    const Process& process_;
    std::shared_ptr<Hand> hand_{std::make_shared<Hand>()};
};

/// The story's tables, in the form in which the history keeps them.
class FakeTables : public replicator::io::TableResolver {
public:
    struct Options {
        bool known_from_start{true};
        std::size_t error_one_in{0};
        std::size_t copy_one_in{0};           ///< A table that is met turns out to need a copy.
        std::size_t other_columns_one_in{0};  ///< It is known, and has to be looked up again.
    };
    FakeTables(World& world, Options options) : world_{world}, options_{options} {}

    std::optional<Answer> known(const pgoutput::Relation& relation) override;
    void see(pgoutput::Xid /*xid*/) override {}
    bool same_columns(const pgoutput::Relation& relation) override;
    Answer resolve(const pgoutput::Relation& relation, const history_writer::SourceTransaction& at)
        override;
    bool equal(const history_writer::KeyQuestion& question) override;
    [[nodiscard]] bool copy_due() const override { return copy_due_; }
    void recheck() override;

private:
    void fail_now_and_then();

    World& world_;
    Options options_;
    std::set<pgoutput::RelationId> resolved_;
    bool copy_due_{false};
};

}  // namespace pgchronicle::simulation
