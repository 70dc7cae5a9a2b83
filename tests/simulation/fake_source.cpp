#include "tests/simulation/fake_source.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::simulation {

using pgoutput::to_string;
using replicator::io::StreamError;

pq::Error connection_lost(const std::string& primary) {
    return pq::Error{{.primary = primary, .connection_lost = true}};
}

/// The client's end of a link.
class FakeStream : public Stream {
public:
    FakeStream(
        World& world,
        FakeSource& source,
        FakeSource::LinkPtr link,
        replicator::io::Loop& loop,
        FakeSource::OnStatus on_status
    )
        : world_{world},
          source_{source},
          link_{std::move(link)},
          loop_{loop},
          on_status_{std::move(on_status)} {}

    ~FakeStream() override {
        link_->client_open = false;
        link_->waiting = nullptr;
        if (link_->cut_to_server) return;
        world_.at(
            source_.arrival(*link_, &FakeSource::Link::last_to_server),
            [source = &source_, link = link_] { source->on_closed(link); }
        );
    }

    [[nodiscard]] std::span<const std::byte> next() override {
        if (link_->arrived.empty()) {
            if (link_->lost) throw StreamError{connection_lost("server closed the connection")};
            return {};
        }
        frame_ = std::move(link_->arrived.front());
        link_->arrived.pop_front();
        source_.on_read(link_);
        return frame_;
    }

    void when_readable(std::function<void()> callback) override {
        if (waits_) return;
        waits_ = true;
        link_->waiting = [this, callback = std::move(callback)] {
            loop_.post([this, callback] {
                waits_ = false;
                callback();
            });
        };
        if (!link_->arrived.empty() || link_->lost || link_->ended) FakeSource::wake(link_);
    }

    void send(const pgoutput::StatusUpdate& status) override {
        if (link_->lost) throw StreamError{connection_lost("could not send data to server")};
        on_status_(status);
        if (link_->cut_to_server) return;
        world_.at(
            source_.arrival(*link_, &FakeSource::Link::last_to_server),
            [source = &source_, link = link_, status] {
                if (!link->cut_to_server) source->on_status(link, status);
            }
        );
    }

    [[nodiscard]] bool ended() const override { return link_->ended && link_->arrived.empty(); }
    [[nodiscard]] bool same_host() const override { return source_.options_.same_host; }

private:
    World& world_;
    FakeSource& source_;
    FakeSource::LinkPtr link_;
    replicator::io::Loop& loop_;
    FakeSource::OnStatus on_status_;
    bool waits_{false};
    Bytes frame_;
};

FakeSource::FakeSource(World& world, const test::Story& story, SourceOptions options)
    : world_{world},
      story_{story},
      options_{options},
      unrelated_left_{world.below(5)},
      // The slot was made where the story begins.
      wal_{Lsn{1000}},
      confirmed_{wal_},
      persisted_{wal_} {
    if (options_.streaming) plan_streams();
    if (!options_.two_phase) return;
    plan_prepares();
    plan_rollbacks();
}

void FakeSource::begin() {
    world_.after(world_.up_to(options_.commit_gap_max), [this] { commit_next(); });
}

void FakeSource::commit_next() {
    if (!up()) {
        clients_wait_ = true;
        return;
    }
    const auto& transactions = story_.transactions();
    if (committed_ == transactions.size()) return write_unrelated();
    const auto& next = transactions[committed_];
    if (world_.chance(3) && wal_ < next.commit_lsn) {
        write_elsewhere();
    } else {
        wal_ = next.end_lsn;
        ++committed_;
        world_.trace([&] {
            return "source: commit " + std::to_string(next.commit_lsn.value) + " to " +
                   std::to_string(next.end_lsn.value) + ", " +
                   std::to_string(next.messages.size() - 2) + " messages";
        });
    }
    set_pump(0ms);
    world_.after(world_.up_to(options_.commit_gap_max), [this] { commit_next(); });
}

/// Others write, too, where there is room between the commits.
void FakeSource::write_elsewhere() {
    const auto& transactions = story_.transactions();
    const auto room = committed_ == transactions.size()
                          ? std::uint64_t{50}
                          : transactions[committed_].commit_lsn.value - wal_.value;
    wal_ = Lsn{wal_.value + world_.below(room + 1)};
}

void FakeSource::write_unrelated() {
    if (unrelated_left_ == 0) {
        // Should it be restored, they go on where it has gone back to.
        clients_wait_ = true;
        return;
    }
    --unrelated_left_;
    wal_ = Lsn{wal_.value + 1};
    write_elsewhere();
    set_pump(0ms);
    world_.after(world_.up_to(options_.commit_gap_max), [this] { commit_next(); });
}

std::optional<Lsn> FakeSource::commit_end(Lsn commit_lsn) const {
    if (!up()) return std::nullopt;
    const auto& transactions = story_.transactions();
    const auto found = std::find_if(transactions.begin(), transactions.end(), [&](const auto& t) {
        return t.commit_lsn == commit_lsn;
    });
    if (found == transactions.end()) return std::nullopt;
    return found->end_lsn;
}

std::unique_ptr<Stream>
FakeSource::start(Lsn from, replicator::io::Loop& loop, OnStatus on_status) {
    if (!up()) throw StreamError{connection_lost("could not connect to the source")};
    if (sender_) {
        world_.fault("slot is still active");
        throw StreamError{pq::Error{{.sqlstate = "55006", .primary = "slot is active for PID 7"}}};
    }
    last_link_ = std::make_shared<Link>();
    sender_ = std::make_shared<Sender>();
    sender_->link = last_link_;
    // An old position is moved forward in silence, one that is ahead is believed.
    sender_->from = std::max(from, confirmed_);
    sender_->sent = sender_->from;
    sender_->last_reply = world_.now();
    world_.trace([&] {
        return "source: START from " + std::to_string(from.value) + ", slot confirmed " +
               std::to_string(confirmed_.value);
    });
    if (options_.wal_sender_timeout.count() != 0) watch(sender_);
    set_pump(1ms);
    return std::make_unique<FakeStream>(world_, *this, last_link_, loop, std::move(on_status));
}

void FakeSource::set_pump(Duration most) {
    if (!sender_ || sender_->pump_set) return;
    sender_->pump_set = true;
    world_.after(world_.up_to(most), [this, sender = sender_] {
        sender->pump_set = false;
        if (sender == sender_) pump();
    });
}

/// There is room again.
void FakeSource::on_read(const LinkPtr& link) {
    if (sender_ && sender_->link == link && sender_->blocked) set_pump(1ms);
}

Bytes FakeSource::frame(const Bytes& payload) const {
    return test::encode(pgoutput::XLogData{sender_->sent, wal_, {}, payload});
}

void FakeSource::send_message(std::vector<Bytes>& burst) {
    const auto& transaction = story_.transactions()[sender_->transaction];
    if (sender_->message == 0) {
        send_early(burst);
        if (prepares_.contains(sender_->transaction)) return send_commit_prepared(burst);
        if (streams_.contains(sender_->transaction)) return send_streamed_commit(burst);
    }
    const auto& message = transaction.messages[sender_->message];
    for (const auto table : message.tables) {
        // It describes a table before its first row, and again when it feels like it.
        const bool fresh = sender_->described.insert(table).second;
        if (fresh || world_.chance(20)) burst.push_back(frame(test::describe_table(table)));
    }
    burst.push_back(frame(message.bytes));
    if (++sender_->message < transaction.messages.size()) {
        // In the midst of a transaction it stands before or behind that.
        if (world_.chance(30)) {
            const auto at = world_.chance(2) ? transaction.end_lsn : sender_->sent;
            burst.push_back(test::encode(pgoutput::Keepalive{at, {}, world_.chance(2)}));
        }
        return;
    }
    sender_->message = 0;
    ++sender_->transaction;
    sender_->sent = transaction.end_lsn;
    world_.trace([&] {
        return "source: has sent the commit that ends at " +
               std::to_string(transaction.end_lsn.value);
    });
}

void FakeSource::pump() {
    auto& link = *sender_->link;
    const auto& transactions = story_.transactions();
    const auto size = 1 + world_.below(options_.burst_max);
    std::vector<Bytes> burst;
    bool blocked = false;
    bool caught_up = false;
    while (burst.size() < size && !blocked && !caught_up) {
        blocked = link.arrived.size() + link.under_way + burst.size() >= options_.window;
        caught_up = sender_->transaction == committed_;
        if (caught_up && !blocked) send_early(burst);
        if (blocked || caught_up) break;
        // What committed before the starting point is not sent.
        if (transactions[sender_->transaction].commit_lsn < sender_->from) {
            ++sender_->transaction;
            continue;
        }
        send_message(burst);
    }
    if (!burst.empty()) to_client(sender_->link, std::move(burst));
    sender_->blocked = blocked;
    if (caught_up && !blocked) {
        sender_->sent = std::max(sender_->sent, wal_);
        keep_alive_if_behind();
        finish_shutdown_if_done();
    } else if (!blocked) {
        set_pump(options_.latency_max);
    }
}

void FakeSource::keep_alive_if_behind() {
    if (sender_->message != 0 || sender_->transaction != committed_) return;
    if (sender_->client_flush < sender_->sent && sender_->client_write < sender_->sent) {
        keep_alive(false, sender_->sent);
    }
}

void FakeSource::keep_alive(bool reply_requested, Lsn at) {
    world_.trace([&] {
        return "source: keepalive at " + std::to_string(at.value) +
               (reply_requested ? ", asking" : "");
    });
    std::vector<Bytes> frames{test::encode(pgoutput::Keepalive{at, {}, reply_requested})};
    to_client(sender_->link, std::move(frames));
}

void FakeSource::watch(const SenderPtr& sender) {
    const auto half = sender->last_reply + options_.wal_sender_timeout / 2;
    const auto end = sender->last_reply + options_.wal_sender_timeout;
    world_.at(sender->pinged ? end : half, [this, sender] {
        if (sender != sender_) return;
        const auto silent = world_.now() - sender->last_reply;
        if (silent >= options_.wal_sender_timeout) {
            if (!sender->link->disturbed && sender->link->client_open) {
                world_.fail("the source did not hear from us for wal_sender_timeout");
            }
            world_.fault("walsender gives up: timeout");
            return end_sender(true);
        }
        if (!sender->pinged && silent >= options_.wal_sender_timeout / 2) {
            sender->pinged = true;
            keep_alive(true, sender->sent);
        }
        watch(sender);
    });
}

void FakeSource::end_sender(bool tell_client) {
    if (!sender_) return;
    const auto link = sender_->link;
    sender_.reset();
    if (tell_client) tell_lost(link);
    finish_shutdown_if_done();
}

Time FakeSource::arrival(Link& link, Time Link::*last) {
    const auto soonest = std::max({link.*last, link.stalled_until, world_.now()});
    link.*last = std::max(soonest, world_.now() + world_.up_to(options_.latency_max));
    return link.*last;
}

void FakeSource::to_client(const LinkPtr& link, std::vector<Bytes> frames) {
    if (link->cut_to_client) return;
    link->under_way += frames.size();
    world_.at(arrival(*link, &Link::last_to_client), [link, frames = std::move(frames)]() mutable {
        link->under_way -= frames.size();
        if (link->cut_to_client || !link->client_open || link->lost) return;
        for (auto& one : frames) link->arrived.push_back(std::move(one));
        wake(link);
    });
}

void FakeSource::tell_lost(const LinkPtr& link) {
    if (link->cut_to_client) return;
    world_.at(arrival(*link, &Link::last_to_client), [link] {
        link->lost = true;
        wake(link);
    });
}

void FakeSource::wake(const LinkPtr& link) {
    if (link->waiting) std::exchange(link->waiting, nullptr)();
}

void FakeSource::on_status(const LinkPtr& link, const pgoutput::StatusUpdate& status) {
    if (!sender_ || sender_->link != link) return;
    sender_->last_reply = world_.now();
    sender_->pinged = false;
    sender_->client_write = status.written;
    sender_->client_flush = status.flushed;
    if (status.flushed.valid()) {
        confirmed_ = status.flushed;
        // Written to disk now and then.
        if (world_.chance(4)) persisted_ = confirmed_;
    }
    if (status.reply_requested) {
        keep_alive(false, sender_->sent);
    } else {
        keep_alive_if_behind();
    }
    finish_shutdown_if_done();
}

void FakeSource::on_closed(const LinkPtr& link) {
    if (sender_ && sender_->link == link) end_sender(false);
}

}  // namespace pgchronicle::simulation
