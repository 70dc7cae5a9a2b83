#include "tests/simulation/simulation.hpp"

#include <algorithm>

// What is drawn before the simulation begins, and what goes wrong in it.

namespace pgchronicle::simulation {

namespace {

constexpr std::chrono::hours day{24};

}  // namespace

Simulation::Setting Simulation::draw_setting() {
    auto& world = world_;
    Setting setting;
    setting.pace = world.one_of<Duration>({100us, 10ms, 1s});
    setting.faults = world.one_of<std::size_t>({0, 5, 15, 40});
    setting.ours = world.chance(2);
    setting.of_source = world.chance(2);
    setting.of_target = world.chance(2);
    setting.of_network = world.chance(2);
    setting.of_others = world.chance(8);
    setting.kill_one_in = world.one_of<std::size_t>({0, 0, 10, 40});
    setting.until_one_in = world.one_of<std::size_t>({0, 0, 3});
    setting.peek = world.one_of({Setting::Peek::none, Setting::Peek::right, Setting::Peek::mixed});
    setting.tables.known_from_start = world.chance(2);
    setting.tables.error_one_in = world.one_of<std::size_t>({0, 0, 30});
    setting.tables.copy_one_in = world.one_of<std::size_t>({0, 20});
    setting.tables.other_columns_one_in = world.one_of<std::size_t>({0, 4});
    if (world.chance(6)) {
        setting.window.bytes = world.one_of<std::uint64_t>({40, 400, 4'000});
    } else if (world.chance(6)) {
        setting.window.time = world.one_of<std::chrono::milliseconds>({50ms, 2s, 20s});
    }

    auto& session = setting.session;
    session.form = world.one_of({history_writer::WireForm::text, history_writer::WireForm::binary});
    session.limits.delay_max = world.one_of<std::chrono::milliseconds>({1ms, 5ms, 50ms});
    session.limits.rows_max = world.one_of<std::uint64_t>({3, 10, 50, 1'000});
    session.limits.bytes_max = world.one_of<std::uint64_t>({300, 3'000, 1U << 20U});
    session.acknowledge_interval = world.one_of<std::chrono::milliseconds>({10ms, 200ms, 2s});
    session.receive_timeout = world.one_of<std::chrono::milliseconds>({20s, 60s});
    // As after a transaction that failed.
    if (world.chance(6)) session.singly_until = Lsn{1'000 + world.below(2'000)};
    session.spool_dir = "/tmp";
    // Files take time: few try them.
    session.transaction_memory_max = world.chance(30) ? 200 : 1U << 20U;
    draw_source(setting);
    draw_target(setting);
    return setting;
}

void Simulation::draw_source(Setting& setting) {
    auto& world = world_;
    auto& source = setting.source;
    source.commit_gap_max = setting.pace;
    source.latency_max = world.one_of<Duration>({50us, 1ms, 80ms});
    source.wal_sender_timeout = world.one_of<Duration>({0s, 2s, 10s, 60s});
    source.burst_max = world.one_of<std::size_t>({1, 5, 40});
    source.window = world.one_of<std::size_t>({10, 300});
    source.same_host = world.chance(2);
    source.streaming = world.chance(3);
    source.two_phase = world.chance(4);
    // As service.cpp does.
    auto& interval = setting.session.status_interval;
    interval = 10s;
    if (source.wal_sender_timeout.count() == 0) return;
    using std::chrono::milliseconds;
    const auto third = std::chrono::duration_cast<milliseconds>(source.wal_sender_timeout / 3);
    interval = std::min(interval, third);
}

void Simulation::draw_target(Setting& setting) {
    auto& world = world_;
    auto& target = setting.target;
    target.flush_delay_max = world.one_of<Duration>({1ms, 200ms, 2s});
    target.job_delay_max = world.one_of<Duration>({100us, 5ms, 300ms});
    if (!setting.of_target) return;
    target.lost_one_in = world.one_of<std::size_t>({0, 15});
    target.reply_lost_one_in = world.one_of<std::size_t>({0, 10});
    target.crash_one_in = world.one_of<std::size_t>({0, 10});
    target.error_one_in = world.one_of<std::size_t>({0, 15});
}

std::string Simulation::told_setting() const {
    const auto& session = setting_.session;
    const auto& source = setting_.source;
    const auto milliseconds = [](Duration duration) {
        using std::chrono::duration_cast;
        return std::to_string(duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
    };
    auto told = std::to_string(story_.transactions().size()) + " transactions";
    told += ", batches of " + std::to_string(session.limits.rows_max) + " rows, " +
            std::to_string(session.limits.bytes_max) + " bytes, " +
            milliseconds(session.limits.delay_max);
    told += ", acknowledge.interval " + milliseconds(session.acknowledge_interval);
    if (setting_.window.bytes != 0) {
        told += ", hold_back " + std::to_string(setting_.window.bytes) + " bytes";
    }
    if (setting_.window.time.count() != 0) {
        told += ", hold_back " + milliseconds(setting_.window.time);
    }
    told += ", wal_sender_timeout " + milliseconds(source.wal_sender_timeout);
    if (session.singly_until.valid()) {
        told += ", singly until " + std::to_string(session.singly_until.value);
    }
    if (source.streaming) told += ", streaming";
    if (source.two_phase) told += ", two_phase";
    if (session.form == history_writer::WireForm::binary) told += ", binary";
    return told;
}

test::Story Simulation::draw_story() {
    test::StoryShape shape;
    shape.transactions_max = world_.one_of<std::size_t>({3, 15, 40});
    shape.changes_max = world_.one_of<std::size_t>({2, 8});
    shape.large_one_in = world_.one_of<std::size_t>({0, 6});
    shape.large_factor = 10;
    return test::Story{world_.random(), setting_.session.form, shape};
}

void Simulation::schedule_faults() {
    // While the source is written to, and a while longer.
    const auto span = setting_.pace * static_cast<int>(story_.transactions().size()) / 2 +
                      world_.one_of<Duration>({10ms, 1s, 20s});
    const auto some_time = [&] {
        return span * static_cast<Duration::rep>(world_.below(1'000)) / 1'000;
    };
    for (std::size_t i = 0; i < setting_.faults; ++i) {
        world_.after(some_time(), [this] { one_fault(); });
    }
    // Who is not disturbed must not disturb others.
    if (setting_.faults == 0 && setting_.of_source) {
        world_.after(some_time(), [this] {
            source_.shut_down(1s, [this] { return target_.flushed_position(); });
        });
    }
    world_.after(span, [this] { cease_faults(); });
}

void Simulation::one_fault() {
    const auto down = world_.up_to(world_.one_of<Duration>({10ms, 1s, 30s}));
    if (setting_.of_others && world_.chance(5)) return fault_of_others(down);
    switch (world_.below(4)) {
    case 0:
        if (setting_.ours) fault_of_ours(down);
        break;
    case 1:
        if (setting_.of_source) fault_of_source(down);
        break;
    case 2:
        if (setting_.of_target) fault_of_target(down);
        break;
    default:
        if (setting_.of_network) fault_of_network(down);
        break;
    }
}

void Simulation::fault_of_source(Duration down) {
    if (!world_.chance(3)) return source_.crash(down);
    source_.shut_down(down, [this] { return target_.flushed_position(); });
}

void Simulation::fault_of_target(Duration down) {
    switch (world_.below(5)) {
    case 0:
        return target_.restart(down);
    case 1:
        world_.fault("target stands still");
        if (!setting_.ours || !world_.chance(2)) return target_.freeze(down);
        world_.after(world_.up_to(1s), [this] { stop(); });
        return target_.freeze(20s);
    case 2:
        world_.fault("target's disk stands still");
        return target_.stall_disk(down);
    case 3:
        world_.fault("target's clock jumps");
        clock_jumped_ = true;
        return target_.jump_clock(world_.one_of<Duration>({-1h, 1h, day}));
    default:
        return target_.crash(down);
    }
}

void Simulation::fault_of_network(Duration down) {
    switch (world_.below(3)) {
    case 0:
        return source_.reset_connection();
    case 1:
        return source_.cut_connection();
    default:
        return source_.stall_network(down);
    }
}

void Simulation::fault_of_ours(Duration down) {
    switch (world_.below(3)) {
    case 0:
        world_.count("SIGTERM");
        return stop();
    case 1:
        return kill("killed between two events");
    default:
        return stand_still(down);
    }
}

void Simulation::stand_still(Duration duration) {
    world_.fault("our process stands still");
    auto& until = process_.stands_still_until;
    until = std::max(until, world_.now() + duration);
    last_beat_ = until;
    world_.at(until, [] {});
    source_.excuse_client();
}

/// Some of it must be noticed at the next start, and the rest is harmless.
void Simulation::fault_of_others(Duration down) {
    if (!target_.checkpoint()) return;
    meddled_ = true;
    switch (world_.below(3)) {
    case 0:
        return source_.advance_slot();
    case 1:
        restored_in_ = turn_;
        return target_.restore(down);
    default:
        return source_.restore(down);
    }
}

void Simulation::cease_faults() {
    if (!source_.all_committed()) {
        world_.after(setting_.pace, [this] { cease_faults(); });
        return;
    }
    world_.trace([] { return std::string{"no more faults"}; });
    quiet_ = true;
    source_.heal();
    target_.heal();
    setting_.tables.error_one_in = setting_.tables.copy_one_in = 0;
    // While nothing is written, nobody asks the target what it holds: the next start does.
    if (meddled_) stop();
    // Servers that are still down, the longest delay between attempts, and silence that is found
    // out: after all of these, everything must be stored and acknowledged.
    const auto patience = 30s + 30s + setting_.session.receive_timeout +
                          setting_.source.wal_sender_timeout + setting_.target.flush_delay_max +
                          2 * setting_.window.time;
    world_.after(patience, [this] {
        if (!done_) world_.fail("it does not get on: not everything is stored and acknowledged");
    });
    look_whether_done();
}

void Simulation::look_whether_done() {
    // A shutdown must come to its end, too.
    if (all_stored() && source_.up()) {
        done_ = true;
        return stop();
    }
    world_.after(50ms, [this] { look_whether_done(); });
}

}  // namespace pgchronicle::simulation
