#pragma once

#include <cassert>
#include <utility>
#include <variant>

namespace pgchronicle::pgoutput {

/// A value or an error, until std::expected can be used. The two types must differ.
template <typename T, typename E>
class [[nodiscard]] Result {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): a value is a result, as with std::expected.
    Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}
    /// Makes the value in place from `args`: no moves on the path of every row.
    template <typename... Args>
    explicit Result(std::in_place_t /*value*/, Args&&... args)
        : state_{std::in_place_index<0>, std::forward<Args>(args)...} {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    Result(E error) : state_{std::in_place_index<1>, std::move(error)} {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    [[nodiscard]] T& value() & {
        assert(ok());
        return std::get<0>(state_);
    }
    [[nodiscard]] const T& value() const& {
        assert(ok());
        return std::get<0>(state_);
    }
    [[nodiscard]] T&& value() && {
        assert(ok());
        return std::move(std::get<0>(state_));
    }
    [[nodiscard]] const E& error() const {
        assert(!ok());
        return std::get<1>(state_);
    }

    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, E> state_;
};

}  // namespace pgchronicle::pgoutput
