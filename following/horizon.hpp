#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>

namespace pgchronicle::following {

/// Up to where the history of a pipeline is complete and on the target's disk.
///
/// The program commits without waiting for the disk, and a crash of the target takes such commits
/// back. What followers have seen cannot be taken back, so they do wait. Where the target's WAL
/// writer has not come that far, a message of a few bytes in a commit of their own makes it.
/// Source: docs/following.md, docs/decisions/0003-asynchronous-commit.md.
class Horizon {
public:
    explicit Horizon(std::string pipeline) : pipeline_{std::move(pipeline)} {}

    /// Asks the target, and returns the horizon. It never moves back, but for a replay, which sets
    /// the checkpoint back. Throws reading::Error (not_ready), pq::Error.
    [[nodiscard]] pgoutput::Lsn poll(pq::Connection& target);

private:
    /// A position that was committed when the target's WAL ended at `wal_end`.
    struct Committed {
        pgoutput::Lsn position;
        pgoutput::Lsn wal_end;
    };

    void flush(pq::Connection& target);

    std::string pipeline_;
    pgoutput::Lsn durable_{};
    std::optional<Committed> waiting_;
    int backend_{0};  ///< Whose server was asked last.
    bool may_flush_{true};
};

}  // namespace pgchronicle::following
