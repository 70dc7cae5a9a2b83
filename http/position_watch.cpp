#include "http/position_watch.hpp"

#include <chrono>
#include <utility>

namespace pgchronicle::http {

namespace {

/// What one's own write takes to be seen, at most, beyond what replication takes.
constexpr std::chrono::milliseconds ask_interval{50};

}  // namespace

PositionWatch::PositionWatch(boost::asio::io_context& io, std::function<void()> ask)
    : ask_{std::move(ask)}, timer_{io} {}

void PositionWatch::note(Position position, Clock::time_point began) {
    const bool lower = position < position_;
    if (lower && began < noted_at_) return;
    if (position != position_) noted_at_ = Clock::now();
    position_ = position;
    look();
}

void PositionWatch::await(
    Condition condition,
    Clock::time_point deadline,
    std::function<void(bool)> then
) {
    if (stopped_ || condition(position_)) {
        then(!stopped_);
        return;
    }
    waiters_.push_back({std::move(condition), deadline, std::move(then)});
    if (!ticking_) tick();
}

void PositionWatch::tick() {
    ticking_ = !waiters_.empty();
    if (!ticking_) return;
    ask_();
    timer_.expires_after(ask_interval);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        look();
        tick();
    });
}

void PositionWatch::look() {
    const auto now = Clock::now();
    // Whoever is called may wait again.
    std::vector<Waiter> due;
    std::vector<Waiter> left;
    for (auto& waiter : waiters_) {
        const bool ready = stopped_ || waiter.condition(position_) || now >= waiter.deadline;
        (ready ? due : left).push_back(std::move(waiter));
    }
    waiters_ = std::move(left);
    for (auto& waiter : due) waiter.then(!stopped_ && waiter.condition(position_));
}

void PositionWatch::stop() {
    stopped_ = true;
    timer_.cancel();
    look();
}

}  // namespace pgchronicle::http
