#include "tests/simulation/simulation.hpp"

#include "history_writer/table_failure.hpp"
#include "replicator/stream_error.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::simulation {

using history_writer::Checkpoint;
using replicator::io::Session;
using replicator::io::SessionEnd;
using replicator::io::StreamError;

Simulation::Simulation(std::uint64_t seed, Plant plant, std::size_t trace_lines)
    : world_{seed, trace_lines},
      plant_{plant},
      setting_{draw_setting()},
      story_{draw_story()},
      reference_{world_, story_},
      source_{world_, story_, setting_.source},
      target_{
          world_,
          setting_.target,
          [this](const test::MemoryTarget::State& state) {
              ++outcome_.commits;
              reference_.check(state, source_.ever_written());
          },
          [this] { kill("killed before the reply to its COMMIT"); }} {}

Outcome Simulation::run() {
    const auto began = world_.now();
    try {
        live();
    } catch (const Wrong& wrong) {
        outcome_.wrong = wrong.what();
    } catch (const std::exception& error) {
        outcome_.wrong = std::string{"not expected: "} + error.what();
    }
    outcome_.setting = told_setting();
    outcome_.trace.assign(world_.lines().begin(), world_.lines().end());
    outcome_.events = world_.events_run();
    outcome_.duration = world_.now() - began;
    outcome_.counts = world_.counts();
    outcome_.fate = world_.random()();
    return outcome_;
}

void Simulation::live() {
    source_.begin();
    schedule_faults();
    try {
        while (!done_) live_once();
    } catch (const Halted&) {
        // Nobody but a person can know what is right; what is there is.
        return reference_.check(target_.rows(), source_.ever_written());
    }
    // SIGTERM has ended it. What it left is all there is.
    reference_.check(target_.rows(), source_.ever_written());
    if (!all_stored()) world_.fail("something is left that was stored before");
}

void Simulation::live_once() {
    ++turn_;
    ++outcome_.turns;
    stop_.emplace();
    process_.killed = false;
    try {
        turn();
    } catch (const Killed&) {
        ++turn_;
        process_ = {};
        pause(world_.up_to(2s));
    } catch (const replicator::NeedsOperator& error) {
        const auto checkpoint = target_.checkpoint();
        // A target that was set back may need what was prepared before the slot's position.
        if (meddled_ && checkpoint && source_.keeps_back_prepared(checkpoint->position)) {
            refuse(error);
        }
        world_.fail(std::string{"halts: "} + error.what() + " " + error.detail());
    } catch (const history_writer::TableFailure& error) {
        world_.fail(std::string{"halts: "} + error.what() + " " + error.detail());
    } catch (const pq::Error& error) {
        ++turn_;
        const auto jitter = static_cast<double>(world_.below(1000)) / 1000;
        const auto delay = backoff_.next(jitter);
        world_.trace([&] { return std::string{"we: reconnecting: "} + error.primary(); });
        pause(delay);
    }
}

void Simulation::pause(Duration duration) {
    const auto end = world_.now() + duration;
    world_.at(end, [] {});
    const auto waits = [&] {
        if (process_.killed) return false;
        // A signal ends it, once it goes on.
        return world_.now() < process_.stands_still_until ||
               (world_.now() < end && !stop_->stop_requested());
    };
    while (waits()) world_.step();
}

Checkpoint Simulation::start_point() {
    replicator::StartupFacts facts;
    facts.pipeline = facts.slot_name = "s";
    facts.publication_names = {"p"};
    facts.server.system_identifier = "7";
    facts.server.timeline = 1;
    facts.server.database = "d";
    facts.server.flush_lsn = source_.wal();
    facts.slot.emplace();
    facts.slot->name = "s";
    facts.slot->plugin = "pgoutput";
    facts.slot->database = "d";
    facts.slot->confirmed_flush_lsn = source_.confirmed();
    facts.publications = {{.name = "p"}};
    facts.checkpoint = target_.checkpoint();
    if (guarded(facts) == replicator::Startup::go_on) return *facts.checkpoint;
    Checkpoint first;
    first.source = {"7", 1, "d", "s", {"p"}};
    first.slot_start = first.last_commit_end = first.position = source_.confirmed();
    target_.write_first_checkpoint(first);
    return first;
}

replicator::Startup Simulation::guarded(const replicator::StartupFacts& facts) {
    const auto position = facts.checkpoint ? facts.checkpoint->position : Lsn{};
    const auto slot = facts.slot->confirmed_flush_lsn;
    const bool fits = !facts.checkpoint || (slot <= position && position <= facts.server.flush_lsn);
    if (!fits && !meddled_) {
        world_.fail(
            "the slot has confirmed " + std::to_string(slot.value) + ", the checkpoint is at " +
            std::to_string(position.value) + ", and the source at " +
            std::to_string(facts.server.flush_lsn.value)
        );
    }
    try {
        const bool asleep = plant_ == Plant::guard_asleep && facts.checkpoint;
        const auto startup = asleep ? replicator::Startup::go_on : replicator::check_startup(facts);
        if (!fits) world_.fail("it goes on although slot, checkpoint and source do not fit");
        return startup;
    } catch (const replicator::NeedsOperator& error) {
        if (fits) throw;
        refuse(error);
    }
}

void Simulation::refuse(const replicator::NeedsOperator& error) {
    world_.count("it refuses to go on");
    world_.trace([&] { return std::string{"we: "} + error.what() + " " + error.detail(); });
    throw Halted{};
}

replicator::HoldBack Simulation::hold_back() const {
    if (!setting_.window.any() || plant_ == Plant::window_forgotten) return {};
    return {setting_.window, source_.confirmed(), target_.read_marks()};
}

void Simulation::turn() {
    pause(world_.up_to(5ms));
    const auto connection = target_.connect();
    if (!source_.up()) throw connection_lost("could not connect to the source");
    const auto checkpoint = start_point();
    world_.trace([&] {
        return "we: start, checkpoint " + std::to_string(checkpoint.position.value);
    });
    stream(checkpoint, connection);
}

void Simulation::stream(const Checkpoint& stored, int connection) {
    told_ = confirmed_ = source_.confirmed();
    const auto checkpoint = planted(plant_, stored, story_);
    const FakeSink::Options sink_options{
        setting_.session.limits, setting_.window.time, setting_.session.singly_until};
    const auto sink = planted(
        plant_,
        std::unique_ptr<history_writer::Sink>{
            std::make_unique<FakeSink>(target_, connection, stored, sink_options)}
    );
    FakeTables tables{world_, setting_.tables};
    auto options = setting_.session;
    options.until = draw_until(stored.position);
    options.source_end = source_.wal();
    options.hold_back = hold_back();
    Session::Parts parts{
        *sink,
        tables,
        log_,
        [this] {
            if (world_.now() - last_beat_ > 1s) world_.fail("it does not look after itself");
            last_beat_ = world_.now();
        },
        [this] {
            world_.fault("target does not answer, and we must end");
            target_.cut();
        },
        [this] { world_.fault("source does not answer a question"); },
        [this] { backoff_.reset(); },
        {},
        [this] {
            world_.fault("a commit ends elsewhere than it was read to end");
            ends_unreadable_ = true;
        }};
    if (setting_.peek != Setting::Peek::none && !ends_unreadable_) {
        parts.commit_end = [this](const pgoutput::Begin& begin) { return peek(begin); };
    }
    last_beat_ = world_.now();
    FakeLoop loop{world_, process_};
    // Prepared transactions that have not ended come again from where the slot is.
    const auto from = setting_.source.two_phase ? std::min(checkpoint.position, source_.confirmed())
                                                : checkpoint.position;
    options.start = from;
    auto replication = source_.start(from, loop, [this](const auto& status) { on_status(status); });
    const auto flushed = [this] {
        return setting_.window.any() ? Lsn{} : target_.flushed_position();
    };
    Session session{
        {loop,
         planted(plant_, std::move(replication), flushed),
         std::make_unique<FakeWorker>(
             world_, [this] { return target_.job_delay(); }, process_
         )},
        checkpoint,
        options,
        parts};
    try {
        check_end(session.run(stop_->get_token()), stored.position, options.until);
    } catch (const StreamError& error) {
        // The server is asked often enough for its silence to mean something.
        const bool silent = error.primary() == "source has been silent for too long";
        if (silent && !source_.disturbed()) world_.fail(error.primary() + ", and was not");
        throw;
    }
}

std::optional<Lsn> Simulation::draw_until(Lsn from) {
    if (quiet_ || !world_.chance(setting_.until_one_in)) return std::nullopt;
    const auto wal = source_.wal();
    const auto most = wal > from ? wal.value - from.value : 0;
    return Lsn{from.value + world_.below(most + 60)};
}

std::optional<Lsn> Simulation::peek(const pgoutput::Begin& begin) {
    if (setting_.peek == Setting::Peek::mixed) {
        if (world_.chance(3)) return std::nullopt;
        if (world_.chance(6)) return Lsn{begin.final_lsn.value + 4};
    }
    world_.count("commit's end is read");
    return source_.commit_end(begin.final_lsn);
}

void Simulation::kill(std::string_view how) {
    world_.fault(how);
    process_.killed = true;
}

Outcome simulate(std::uint64_t seed, Plant plant, std::size_t trace_lines) {
    auto outcome = Simulation{seed, plant, trace_lines}.run();
    if (outcome.wrong.empty() || trace_lines != 0) return outcome;
    constexpr std::size_t last_lines = 150;
    auto traced = Simulation{seed, plant, last_lines}.run();
    if (traced.wrong != outcome.wrong || traced.fate != outcome.fate) {
        traced.wrong =
            "the seed does not decide everything: " + outcome.wrong + "\nand then: " + traced.wrong;
    }
    return traced;
}

}  // namespace pgchronicle::simulation
