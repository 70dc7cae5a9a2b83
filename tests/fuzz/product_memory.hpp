#pragma once

#include <algorithm>
#include <cstddef>

// What the program's own code holds of memory while a fuzz target calls it; the target's lists and
// models beside it are not counted.

namespace pgchronicle::test {

/// Bytes that the process holds, and the most since `forget_peak`. By operator new, or by
/// AddressSanitizer's hooks where it has replaced that. Source: product_memory.cpp.
[[nodiscard]] std::ptrdiff_t heap_held();
[[nodiscard]] std::ptrdiff_t heap_peak();
void forget_heap_peak();

/// Adds up what changes while its scopes are open.
class ProductMemory {
public:
    /// Counts until it ends.
    class Scope {
    public:
        explicit Scope(ProductMemory& memory) : memory_{memory}, before_{heap_held()} {
            forget_heap_peak();
        }
        ~Scope() {
            memory_.peak_ = std::max(memory_.peak_, memory_.held_ + heap_peak() - before_);
            memory_.held_ += heap_held() - before_;
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        ProductMemory& memory_;
        std::ptrdiff_t before_;
    };

    /// The most that was held at any moment.
    [[nodiscard]] std::size_t peak() const {
        return static_cast<std::size_t>(std::max<std::ptrdiff_t>(peak_, 0));
    }

private:
    std::ptrdiff_t held_{0};
    std::ptrdiff_t peak_{0};
};

}  // namespace pgchronicle::test
