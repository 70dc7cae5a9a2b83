#include "replicator/hold_back.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::replicator {

using namespace std::chrono_literals;

HoldBack::HoldBack(config::HoldBack window, Lsn confirmed, std::deque<Mark> marks)
    : window_{window}, confirmed_{confirmed}, marks_{std::move(marks)} {}

std::chrono::milliseconds HoldBack::spacing(std::chrono::milliseconds window) {
    constexpr int marks_per_window = 64;
    return std::clamp<std::chrono::milliseconds>(window / marks_per_window, 100ms, 60s);
}

void HoldBack::on_flushed(Lsn flushed, TimePoint now) {
    if (window_.time.count() == 0 || !flushed.valid()) return;
    // A position that no mark has said yet gets one when its time has come, moved or not.
    const bool new_position = marks_.empty() || flushed > marks_.back().position;
    if (new_position && (marks_.empty() || now - marks_.back().at >= spacing(window_.time))) {
        marks_.push_back({flushed, now});
    }
    while (marks_.size() > 1 && now - marks_[1].at >= window_.time) marks_.pop_front();
}

Lsn HoldBack::acknowledgeable(Lsn flushed, TimePoint now) const {
    if (!active() || !flushed.valid()) return flushed;
    Lsn held;
    if (window_.bytes != 0) {
        held = Lsn{flushed.value > window_.bytes ? flushed.value - window_.bytes : 0};
    } else {
        for (const auto& mark : marks_) {
            if (now - mark.at >= window_.time) held = mark.position;
        }
    }
    return std::min(flushed, std::max(held, confirmed_));
}

}  // namespace pgchronicle::replicator
