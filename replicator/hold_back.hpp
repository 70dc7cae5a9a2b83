#pragma once

#include "config/settings.hpp"
#include "pgoutput/lsn.hpp"

#include <chrono>
#include <deque>

namespace pgchronicle::replicator {

using pgoutput::Lsn;

/// acknowledge.hold_back: keeps the slot a window behind what is stored, so that it can be
/// replayed. It wins over progress: what is acknowledged is the smaller of the two. Pure.
class HoldBack {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// Everything up to `position` was on the target's disk at `at`, or before.
    struct Mark {
        Lsn position;
        TimePoint at;
    };

    /// Holds nothing back.
    HoldBack() = default;
    /// `confirmed`: where the slot stands; it is never told to go back. `marks`: what is known of
    /// earlier sessions, in order.
    HoldBack(config::HoldBack window, Lsn confirmed, std::deque<Mark> marks);

    [[nodiscard]] bool active() const { return window_.any(); }
    /// Notes how far the disk has come. Called often, for marks are made here, too.
    void on_flushed(Lsn flushed, TimePoint now);
    /// What may be acknowledged; 0/0 when nothing is known to be flushed yet.
    [[nodiscard]] Lsn acknowledgeable(Lsn flushed, TimePoint now) const;

    /// So far apart are marks: a window is longer than asked for by no more than this.
    [[nodiscard]] static std::chrono::milliseconds spacing(std::chrono::milliseconds window);

private:
    config::HoldBack window_;
    Lsn confirmed_;
    std::deque<Mark> marks_;
};

}  // namespace pgchronicle::replicator
