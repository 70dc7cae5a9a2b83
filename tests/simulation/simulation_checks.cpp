#include "tests/simulation/simulation.hpp"

#include <algorithm>
#include <utility>

// What is looked at whenever the product says something to the source, and when it ends.

namespace pgchronicle::simulation {

using replicator::io::SessionEnd;

namespace {

/// Eight seconds of patience, and the session looks every second.
constexpr auto stops_within = 10s;

}  // namespace

void Simulation::on_status(const pgoutput::StatusUpdate& status) {
    world_.trace([&] {
        return "we: status received " + std::to_string(status.written.value) + " flushed " +
               std::to_string(status.flushed.value) + (status.reply_requested ? ", asking" : "");
    });
    if (status.written > source_.ever_written()) {
        world_.fail("more is said to have come than was written");
    }
    // 0/0 says nothing.
    if (status.flushed.valid()) check_acknowledged(status);
    if (world_.chance(quiet_ ? 0 : setting_.kill_one_in))
        kill("killed while it tells its position");
}

void Simulation::check_acknowledged(const pgoutput::StatusUpdate& status) {
    const auto acknowledged = status.flushed;
    if (acknowledged < told_) world_.fail("an acknowledgement goes back");
    if (acknowledged > status.written) world_.fail("more is acknowledged than has come");
    told_ = acknowledged;
    // A target that was set back a moment ago is noticed when it is written to.
    if (restored_in_ == turn_) return;
    const auto flushed = target_.flushed_position();
    if (acknowledged > flushed) {
        world_.fail(
            "acknowledged " + std::to_string(acknowledged.value) + ", and the target's disk has " +
            std::to_string(flushed.value)
        );
    }
    // Where the slot was already, nothing can be held back any more.
    if (acknowledged <= confirmed_ || !setting_.window.any()) return;
    if (acknowledged < flushed) world_.count("acknowledgement is held back");
    const auto& window = setting_.window;
    if (window.bytes != 0 && acknowledged.value + window.bytes > flushed.value) {
        world_.fail("less than acknowledge.hold_back is held back");
    }
    const auto age = world_.now() - target_.stored_since(acknowledged);
    if (window.time.count() != 0 && !clock_jumped_ && age < window.time) {
        world_.fail("it is held back for less than acknowledge.hold_back");
    }
}

void Simulation::check_end(SessionEnd end, Lsn from, std::optional<Lsn> until) {
    switch (end) {
    case SessionEnd::stopped:
        world_.trace([] { return std::string{"we: stopped"}; });
        if (!stop_->stop_requested()) world_.fail("it stops, and nobody asked it to");
        break;
    case SessionEnd::until_reached:
        world_.count("until_reached");
        world_.trace([&] { return "we: reached " + std::to_string(until->value); });
        if (restored_in_ != turn_) check_until(from, *until);
        break;
    case SessionEnd::copy_due:
        world_.count("copy_due");
        world_.trace([] { return std::string{"we: a copy is due"}; });
        setting_.tables.known_from_start = true;
        break;
    }
}

void Simulation::check_until(Lsn from, Lsn until) {
    const auto flushed = target_.flushed_position();
    if (flushed < until) world_.fail("it ends before the position it was to reach");
    const auto wanted =
        std::max(reference_.transactions_before(until), reference_.transactions_at(from));
    if (reference_.transactions_at(flushed) == wanted) return;
    world_.fail("it stores other transactions than those that commit before the position");
}

void Simulation::stop() {
    world_.trace([] { return std::string{"we: SIGTERM"}; });
    stop_->request_stop();
    look_whether_stopped(turn_, world_.now());
}

void Simulation::look_whether_stopped(std::uint64_t turn, Time asked) {
    const auto end = std::max(asked, process_.stands_still_until) + stops_within;
    world_.at(end, [this, turn, asked, end] {
        if (turn != turn_) return;
        if (process_.stands_still_until + stops_within > end) {
            return look_whether_stopped(turn, asked);
        }
        world_.fail("it does not stop");
    });
}

bool Simulation::all_stored() const {
    if (!source_.all_committed() || !target_.checkpoint()) return false;
    const auto wal = source_.wal();
    return target_.checkpoint()->position >= wal &&
           source_.confirmed().value + setting_.window.bytes >= wal.value;
}

}  // namespace pgchronicle::simulation
