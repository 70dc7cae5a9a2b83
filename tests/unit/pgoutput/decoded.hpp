#pragma once

#include "pgoutput/decode.hpp"
#include "tests/support/wire_builder.hpp"

#include <catch2/catch.hpp>

#include <utility>

namespace pgchronicle::test {

/// A decoded message together with the bytes that it points into.
template <typename T>
struct Kept {
    Bytes bytes;
    T message;

    const T* operator->() const { return &message; }
};

/// Decodes bytes that must be a T.
template <typename T>
Kept<T> decoded(Bytes bytes) {
    auto message = pgoutput::decode(bytes, pgoutput::StreamContext::outside_stream);
    if (!message.ok()) FAIL(to_string(message.error()));
    REQUIRE(std::holds_alternative<T>(*message));
    // Moving a vector leaves its bytes where they are.
    return {std::move(bytes), std::get<T>(std::move(*message))};
}

/// Decodes bytes that must be wrong.
inline pgoutput::DecodeError rejected(const Bytes& bytes) {
    const auto message = pgoutput::decode(bytes, pgoutput::StreamContext::outside_stream);
    REQUIRE_FALSE(message.ok());
    return message.error();
}

}  // namespace pgchronicle::test
