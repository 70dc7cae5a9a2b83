#include "tests/simulation/fake_source.hpp"

#include <algorithm>
#include <utility>

// What can go wrong with the source and on the way to it.

namespace pgchronicle::simulation {

namespace {

/// Time-outs of the system's own end a connection where no other does.
constexpr auto system_timeout = 30s;
/// So long after everything is stored, a source must be able to shut down.
constexpr auto shutdown_patience = 30s;
/// After that, nothing of an earlier fault is left.
constexpr auto aftermath = 60s;

}  // namespace

void FakeSource::go_down(Duration down) {
    up_ = stopping_ = false;
    up_at_ = world_.now() + down;
    confirmed_ = persisted_;
    world_.at(up_at_, [this] {
        if (!up_ && world_.now() >= up_at_) go_up();
    });
}

void FakeSource::go_up() {
    up_ = true;
    world_.trace([] { return std::string{"source: is up"}; });
    if (std::exchange(clients_wait_, false)) commit_next();
}

void FakeSource::crash(Duration down) {
    world_.fault(persisted_ < confirmed_ ? "source crashes, slot goes back" : "source crashes");
    const auto link = sender_ ? sender_->link : nullptr;
    go_down(down);
    if (!link) return;
    link->disturbed = true;
    end_sender(true);
    if (world_.chance(2)) break_off(link);
}

void FakeSource::shut_down(Duration down, const std::function<Lsn()>& stored) {
    if (!up()) return;
    const bool calm = world_.now() - world_.last_fault() > aftermath;
    world_.fault("source shuts down");
    stopping_ = true;
    down_after_shutdown_ = down;
    // The shutdown's checkpoint saves the slot; its own record is the last that is sent.
    persisted_ = confirmed_;
    write_elsewhere();
    look_whether_down({++shutdowns_, world_.faults(), calm, false, stored});
    set_pump(0ms);
    finish_shutdown_if_done();
}

void FakeSource::look_whether_down(Shutdown shutdown) {
    world_.after(shutdown_patience, [this, shutdown = std::move(shutdown)] {
        if (!stopping_ || shutdown.number != shutdowns_) return;
        // Somebody loses his own patience.
        const bool calm = shutdown.calm && shutdown.faults == world_.faults();
        if (!calm) return crash(down_after_shutdown_);
        if (shutdown.stored) {
            world_.fail("the source cannot shut down: it is not told that everything has come");
        }
        auto next = shutdown;
        next.stored = shutdown.what_is_stored() >= wal_;
        look_whether_down(std::move(next));
    });
}

/// WalSndDone: once the client has told of all that was sent, or said nothing but that it came.
void FakeSource::finish_shutdown_if_done() {
    if (!stopping_) return;
    if (sender_) {
        auto& sender = *sender_;
        const bool all_sent =
            sender.message == 0 && sender.transaction == committed_ && sender.sent == wal_;
        const auto told = sender.client_flush.valid() ? sender.client_flush : sender.client_write;
        if (!all_sent) return;
        if (told != sender.sent) return ask_again();
        const auto link = std::exchange(sender_, nullptr)->link;
        link->disturbed = true;
        if (!link->cut_to_client) {
            world_.at(arrival(*link, &Link::last_to_client), [link] {
                link->ended = true;
                wake(link);
            });
        }
    }
    world_.count("source has shut down in good order");
    go_down(down_after_shutdown_);
}

/// In truth it asks as soon as it has been answered, with nothing to be learned in between.
void FakeSource::ask_again() {
    if (sender_->pinged) return;
    sender_->pinged = true;
    world_.after(1ms, [this, sender = sender_] {
        if (sender == sender_) keep_alive(true, sender->sent);
    });
}

/// Where the network loses a connection, what is under way is lost with it, and some of what has
/// arrived and was not read.
void FakeSource::break_off(const LinkPtr& link) {
    if (link->cut_to_client || !link->client_open) return;
    world_.count("messages are lost with their connection");
    link->arrived.resize(world_.below(link->arrived.size() + 1));
    link->lost = true;
    wake(link);
}

void FakeSource::reset_connection() {
    if (!sender_) return;
    world_.fault("connection to the source is reset");
    const auto link = sender_->link;
    link->disturbed = true;
    end_sender(true);
    if (world_.chance(2)) break_off(link);
}

void FakeSource::cut_connection() {
    if (!sender_) return;
    auto& link = *sender_->link;
    switch (world_.below(3)) {
    case 0:
        world_.fault("connection to the source is cut in silence");
        link.cut_to_client = link.cut_to_server = true;
        break;
    case 1:
        world_.fault("source is not heard any more");
        link.cut_to_client = true;
        break;
    default:
        world_.fault("source does not hear us any more");
        link.cut_to_server = true;
        break;
    }
    link.disturbed = true;
    if (options_.wal_sender_timeout.count() != 0) return;
    world_.after(system_timeout, [this, sender = sender_] {
        if (sender == sender_) end_sender(true);
    });
}

void FakeSource::stall_network(Duration duration) {
    if (!sender_) return;
    world_.fault("network stalls");
    sender_->link->disturbed = true;
    sender_->link->stalled_until = world_.now() + duration;
}

void FakeSource::excuse_client() {
    if (last_link_) last_link_->disturbed = true;
}

void FakeSource::heal() {
    if (!last_link_) return;
    last_link_->stalled_until = {};
    if (!last_link_->cut_to_client && !last_link_->cut_to_server) return;
    last_link_->lost = true;
    wake(last_link_);
    if (sender_ && sender_->link == last_link_) end_sender(false);
}

void FakeSource::advance_slot() {
    // Of prepared transactions it would lose the content, and they are not compared.
    if (sender_ || !up() || options_.two_phase || wal_ <= confirmed_) return;
    Lsn to{confirmed_.value + 1 + world_.below(wal_.value - confirmed_.value)};
    for (const auto& transaction : story_.transactions()) {
        if (transaction.commit_lsn < to && to < transaction.end_lsn) to = transaction.end_lsn;
    }
    confirmed_ = to;
    world_.fault("somebody moves the slot on");
}

void FakeSource::restore(Duration down) {
    world_.fault("source is restored from a backup");
    ever_written_ = ever_written();
    committed_ = world_.below(committed_ + 1);
    wal_ = committed_ == 0 ? Lsn{1000} : story_.transactions()[committed_ - 1].end_lsn;
    persisted_ = std::min(persisted_, wal_);
    // Nobody had told the slot more than the PREPARE of what was not committed then.
    for (const auto& [transaction, prepare] : prepares_) {
        if (transaction >= committed_) persisted_ = std::min(persisted_, prepare.lsn);
    }
    crash(down);
}

}  // namespace pgchronicle::simulation
