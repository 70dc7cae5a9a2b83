#pragma once

#include "pgoutput/decode.hpp"
#include "tests/support/wire_builder.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>

// What holds for every input, whatever the bytes are.

namespace pgchronicle::test {

/// Ends the process unless `holds`, so that the fuzzer keeps the input.
inline void require(bool holds, const char* claim) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", claim);
    std::abort();
}

/// Reads a tuple to its end, which a checked one always allows.
inline void walk(const pgoutput::TupleData& tuple) {
    pgoutput::TupleReader values{tuple};
    bool has_unchanged_toast = false;
    std::size_t size = 0;
    for (unsigned column = 0; column < tuple.column_count; ++column) {
        const auto value = values.next();
        has_unchanged_toast |= value.kind == pgoutput::ValueKind::unchanged_toast;
        const bool has_content =
            value.kind == pgoutput::ValueKind::text || value.kind == pgoutput::ValueKind::binary;
        size += 1 + (has_content ? sizeof(std::uint32_t) + value.bytes.size() : 0);
    }
    require(size == tuple.wire.size(), "the values of a tuple fill it");
    require(has_unchanged_toast == tuple.has_unchanged_toast, "the TOAST flag is what values say");
}

inline void walk_tuples(const pgoutput::Message& message) {
    if (const auto* const insert = std::get_if<pgoutput::Insert>(&message)) {
        walk(insert->new_tuple);
    } else if (const auto* const update = std::get_if<pgoutput::Update>(&message)) {
        walk(update->old_tuple);
        walk(update->new_tuple);
    } else if (const auto* const removed = std::get_if<pgoutput::Delete>(&message)) {
        walk(removed->old_tuple);
    }
}

/// A schema spelt out as pg_catalog is the one thing that two byte strings say alike.
inline bool has_two_spellings(const pgoutput::Message& message) {
    if (const auto* const relation = std::get_if<pgoutput::RelationMessage>(&message)) {
        return relation->relation.schema_name == "pg_catalog";
    }
    if (const auto* const type = std::get_if<pgoutput::TypeMessage>(&message)) {
        return type->schema_name == "pg_catalog";
    }
    return false;
}

/// Decodes one payload and holds the outcome against the bytes.
inline pgoutput::Decoded<pgoutput::Message>
decode_checked(std::span<const std::byte> payload, pgoutput::StreamContext context) {
    auto message = pgoutput::decode(payload, context);
    if (!message.ok()) {
        const auto& error = message.error();
        require(error.code != pgoutput::DecodeErrc::ok, "an error has a code");
        require(error.offset <= payload.size(), "an error lies inside the payload");
        require(!to_string(error).empty(), "an error has a text");
        return message;
    }
    walk_tuples(*message);
    if (!has_two_spellings(*message)) {
        require(
            std::ranges::equal(encode(*message), payload), "an accepted message says all its bytes"
        );
    }
    return message;
}

}  // namespace pgchronicle::test
