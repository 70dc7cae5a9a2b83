#include "history_writer/spare_changes.hpp"

#include <utility>

namespace pgchronicle::history_writer {

std::unique_ptr<TableChanges> SpareChanges::take() {
    if (spare_.empty()) return std::make_unique<TableChanges>();
    auto changes = std::move(spare_.back());
    spare_.pop_back();
    bytes_ -= changes->memory();
    return changes;
}

void SpareChanges::give(std::unique_ptr<TableChanges> changes) {
    changes->clear();
    const auto memory = changes->memory();
    if (bytes_ + memory > bytes_max_) return;
    bytes_ += memory;
    spare_.push_back(std::move(changes));
}

}  // namespace pgchronicle::history_writer
