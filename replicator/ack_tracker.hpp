#pragma once

#include "pgoutput/lsn.hpp"

#include <algorithm>
#include <cassert>

namespace pgchronicle::replicator {

using pgoutput::Lsn;

/// What the server may be told. `received` is what has come in; `flushed` is what the checkpoint
/// holds and the target's disk has: only that is acknowledged. Neither moves back.
class AckTracker {
public:
    /// `start`: the checkpoint's position, flushed or not.
    explicit AckTracker(Lsn start) : received_{start} {}

    void on_received(Lsn lsn) { received_ = std::max(received_, lsn); }
    void on_flushed(Lsn position) {
        assert(position <= received_);
        flushed_ = std::max(flushed_, position);
    }

    [[nodiscard]] Lsn received() const { return received_; }
    /// 0/0 until something is known to be flushed, which tells the server nothing.
    [[nodiscard]] Lsn flushed() const { return flushed_; }

private:
    Lsn received_;
    Lsn flushed_;
};

}  // namespace pgchronicle::replicator
