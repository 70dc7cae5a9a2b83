#pragma once

#include <cstddef>
#include <vector>

// Buffers keep their memory from one batch to the next, so that rows ask for none. What a single
// huge row took must be given back all the same.

namespace pgchronicle::history_writer {

/// Bytes that `buffer` holds, in use or not.
template <typename T>
[[nodiscard]] std::size_t memory_of(const std::vector<T>& buffer) {
    return buffer.capacity() * sizeof(T);
}

/// Empties `buffer`, and lets its memory go when it is more than `kept_bytes_max`.
template <typename T>
void clear_within(std::vector<T>& buffer, std::size_t kept_bytes_max) {
    if (memory_of(buffer) > kept_bytes_max) {
        std::vector<T>{}.swap(buffer);
    } else {
        buffer.clear();
    }
}

}  // namespace pgchronicle::history_writer
