#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgchronicle::pgoutput {

/// Why bytes are not a message the server can send.
enum class DecodeErrc : std::uint8_t {
    ok,
    truncated,             ///< A field reaches past the end.
    trailing_bytes,        ///< Bytes left after the last field.
    unknown_tag,           ///< The first byte names no message or frame.
    unterminated_string,   ///< No NUL before the end.
    bad_length,            ///< Negative or impossible length.
    bad_column_count,      ///< Negative, or more than a table can have.
    bad_tuple_kind,        ///< Not one of N, K, O where one is due.
    bad_value_kind,        ///< Not one of n, u, t, b.
    bad_replica_identity,  ///< Not one of d, n, f, i.
    bad_flags,             ///< A flag that no version knows.
    bad_position,          ///< A commit's end is not after its start, and the like.
};

/// Where and why decoding stopped. `offset` counts bytes from the start of the payload,
/// `tag` is its first byte, or 0 for an empty payload.
struct DecodeError {
    DecodeErrc code{DecodeErrc::ok};
    std::size_t offset{0};
    char tag{0};
};

[[nodiscard]] std::string_view name_of(DecodeErrc code);

/// "truncated at byte 17 of message 'I'".
[[nodiscard]] std::string to_string(const DecodeError& error);

}  // namespace pgchronicle::pgoutput
