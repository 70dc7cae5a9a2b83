#pragma once

#include "history_writer/change_batch.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// The order in which rows of one batch go to the target: by key, so that each page of the index is
/// visited once and while it is in the processor's cache. Bytes are compared, which is near enough
/// to the types' own order. Both results are valid until the next call.
class KeyOrder {
public:
    /// Indexes of the closes, without those that close nothing after all.
    std::span<const std::uint32_t> closes(const TableChanges& changes);
    /// Indexes of all versions; those of one key stay in their order. Without a key: as they are.
    std::span<const std::uint32_t> versions(const TableChanges& changes, WireForm form);
    /// Lets go of what an unusual batch took.
    void give_back();

private:
    struct Entry {
        std::uint64_t prefix{0};  ///< The first bytes of the key, so that few keys are looked up.
        std::uint32_t index{0};
    };
    template <typename Field>
    void sort(std::size_t key_columns, const Field& field);

    std::vector<Entry> entries_;
    std::vector<std::uint32_t> order_;
};

}  // namespace pgchronicle::history_writer::pg
