#include "tests/fuzz/product_memory.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PGCHRONICLE_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PGCHRONICLE_ASAN
#endif

#if defined(PGCHRONICLE_ASAN)

#include <atomic>
#include <cstddef>

// Of sanitizer/allocator_interface.h, which Debian's g++ comes without.
extern "C" {
std::size_t __sanitizer_get_allocated_size(const volatile void* memory);
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void*, std::size_t),
    void (*free_hook)(const volatile void*)
);
}

namespace pgchronicle::test {

namespace {

// Signed: what was asked for before the hooks were there is given back, too.
std::atomic<std::ptrdiff_t> held{0};
std::atomic<std::ptrdiff_t> peak{0};

void on_malloc(const volatile void* /*memory*/, std::size_t size) {
    const auto now = held += static_cast<std::ptrdiff_t>(size);
    if (now > peak) peak = now;
}

void on_free(const volatile void* memory) {
    if (memory == nullptr) return;
    const auto size = __sanitizer_get_allocated_size(memory);
    held -= static_cast<std::ptrdiff_t>(size);
}

const bool installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;

}  // namespace

std::ptrdiff_t heap_held() {
    return installed ? held.load() : 0;
}
std::ptrdiff_t heap_peak() {
    return peak;
}
void forget_heap_peak() {
    peak = held.load();
}

}  // namespace pgchronicle::test

#else

#include "tests/support/counted_memory.hpp"

namespace pgchronicle::test {

std::ptrdiff_t heap_held() {
    return static_cast<std::ptrdiff_t>(bytes_held.load());
}
std::ptrdiff_t heap_peak() {
    return static_cast<std::ptrdiff_t>(bytes_held_peak.load());
}
void forget_heap_peak() {
    bytes_held_peak = bytes_held.load();
}

}  // namespace pgchronicle::test

#endif
