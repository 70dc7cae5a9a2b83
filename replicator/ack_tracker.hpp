#pragma once

#include "pgoutput/lsn.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

namespace pgchronicle::replicator {

using pgoutput::Lsn;

/// What the server may be told. `received` is what has come in; `flushed` is what the checkpoint
/// holds and the target's disk has: only that is acknowledged. Neither moves back.
///
/// The server sends the content of a prepared transaction again only to who has not passed its
/// PREPARE. So nothing beyond that is acknowledged before its COMMIT PREPARED is on the disk.
class AckTracker {
public:
    /// `start`: the checkpoint's position, flushed or not.
    explicit AckTracker(Lsn start) : received_{start} {}

    void on_received(Lsn lsn) { received_ = std::max(received_, lsn); }
    void on_flushed(Lsn position) {
        assert(position <= received_);
        flushed_ = std::max(flushed_, position);
        std::erase_if(prepared_, [&](const Prepared& one) { return one.end_lsn <= flushed_; });
    }
    /// A transaction that was prepared at `prepare_lsn` has been committed, up to `end_lsn`.
    void on_commit_prepared(Lsn prepare_lsn, Lsn end_lsn) {
        if (end_lsn > flushed_) prepared_.push_back({prepare_lsn, end_lsn});
    }

    [[nodiscard]] Lsn received() const { return received_; }
    /// 0/0 until something is known to be flushed, which tells the server nothing.
    [[nodiscard]] Lsn flushed() const { return flushed_; }
    [[nodiscard]] Lsn acknowledgeable() const {
        auto lsn = flushed_;
        for (const auto& one : prepared_) lsn = std::min(lsn, one.prepare_lsn);
        return lsn;
    }

private:
    struct Prepared {
        Lsn prepare_lsn;
        Lsn end_lsn;
    };

    Lsn received_;
    Lsn flushed_;
    std::vector<Prepared> prepared_;  ///< Committed, and not on the disk yet.
};

}  // namespace pgchronicle::replicator
