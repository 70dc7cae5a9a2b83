#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <new>

// Counts what is asked of operator new. It replaces the program's own, so one file of a program
// includes it, and none does under AddressSanitizer, which replaces them too.

namespace pgchronicle::test {

inline std::atomic<std::uint64_t> allocations{0};
inline std::atomic<std::size_t> bytes_held{0};
inline std::atomic<std::size_t> bytes_held_peak{0};  ///< The most since somebody set it back.

inline void* counted(std::size_t size) {
    ++allocations;
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc{};
    const auto now = bytes_held += malloc_usable_size(memory);
    if (now > bytes_held_peak) bytes_held_peak = now;
    return memory;
}

inline void let_go(void* memory) noexcept {
    bytes_held -= malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace pgchronicle::test

// NOLINTBEGIN(misc-definitions-in-headers): a replacement cannot be inline.
void* operator new(std::size_t size) {
    return pgchronicle::test::counted(size);
}
void* operator new[](std::size_t size) {
    return pgchronicle::test::counted(size);
}
void operator delete(void* memory) noexcept {
    pgchronicle::test::let_go(memory);
}
void operator delete[](void* memory) noexcept {
    pgchronicle::test::let_go(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    pgchronicle::test::let_go(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    pgchronicle::test::let_go(memory);
}
// NOLINTEND(misc-definitions-in-headers)
