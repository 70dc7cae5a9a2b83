#pragma once

#include "history_writer/change_batch.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace pgchronicle::history_writer {

/// Changes of written batches, whose memory the next ones use. Keeps no more than a given number of
/// bytes: what a huge row or transaction took beyond it goes back to the system. Thread: one.
class SpareChanges {
public:
    explicit SpareChanges(std::size_t bytes_max) : bytes_max_{bytes_max} {}

    /// Empty changes, with memory if there is some.
    [[nodiscard]] std::unique_ptr<TableChanges> take();
    void give(std::unique_ptr<TableChanges> changes);
    void keep_at_most(std::size_t bytes) { bytes_max_ = bytes; }

private:
    std::vector<std::unique_ptr<TableChanges>> spare_;
    std::size_t bytes_{0};
    std::size_t bytes_max_;
};

}  // namespace pgchronicle::history_writer
