#pragma once

#include "tests/property/memory_target.hpp"
#include "tests/property/story.hpp"
#include "tests/simulation/world.hpp"

#include <cstddef>

namespace pgchronicle::simulation {

/// Says what the target must hold for its checkpoint: the history that a slow model makes of the
/// story's first transactions, to the last version, and nothing else.
class Reference {
public:
    Reference(World& world, const test::Story& story) : world_{world}, story_{story} {}

    /// Fails the world where `state` is not what an uninterrupted run leaves at its position.
    void check(const test::MemoryTarget::State& state, pgoutput::Lsn source_wal);
    /// Transactions that end at `position` or before.
    [[nodiscard]] std::size_t transactions_at(pgoutput::Lsn position) const;
    /// Transactions whose commit record begins before `position`.
    [[nodiscard]] std::size_t transactions_before(pgoutput::Lsn position) const;

private:
    void advance_to(std::size_t transactions);

    World& world_;
    const test::Story& story_;
    test::HistoryModel model_;
    std::size_t told_{0};  ///< Transactions that the model knows.
};

}  // namespace pgchronicle::simulation
