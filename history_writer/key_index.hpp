#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/kept_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pgchronicle::history_writer {

/// What a batch knows of one row key.
struct KeyState {
    std::uint64_t hash{0};
    std::uint64_t key_offset{0};
    std::uint32_t key_size{0};
    std::uint32_t open_version{no_index};  ///< The open version made in this batch, if any.
    std::uint32_t base_close{no_index};    ///< The close of the version the target had open.
    /// Under `collapse`: the transaction that ended a version older than itself, and the tombstone
    /// that was made last.
    std::uint32_t left_in{no_index};
    std::uint32_t tombstone{no_index};
    std::uint32_t target_closes{0};  ///< How many identical rows of the target were closed.
    bool seen{false};                ///< False: just made by this look-up.
};

/// Row keys of one table in one stretch of a batch: open addressing over canonical key bytes.
/// Memory is kept when cleared. References die with the next `find_or_add`.
class KeyIndex {
public:
    KeyState& find_or_add(std::span<const std::byte> key);
    void clear();
    /// What it holds of memory, in use or not.
    [[nodiscard]] std::size_t memory() const {
        return memory_of(states_) + memory_of(buckets_) + memory_of(keys_);
    }

private:
    void grow();

    std::vector<KeyState> states_;
    std::vector<std::uint32_t> buckets_;  ///< Power of two; no_index where empty.
    std::vector<std::byte> keys_;
};

/// A 64-bit hash of the bytes; not for adversaries, only for spreading keys.
[[nodiscard]] std::uint64_t hash_bytes(std::span<const std::byte> bytes);

}  // namespace pgchronicle::history_writer
