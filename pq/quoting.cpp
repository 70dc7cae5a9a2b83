#include "pq/quoting.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace pgchronicle::pq {
namespace {

/// One row of the table of well-formed sequences: what may follow a first byte.
struct Sequence {
    std::uint8_t first_min;
    std::uint8_t first_max;
    std::uint8_t continuation_bytes;
    std::uint8_t second_min;  ///< Shuts out overlong forms, surrogates and what is past U+10FFFF.
    std::uint8_t second_max;
};

// Source: The Unicode Standard, table 3-7.
constexpr std::array sequences{
    Sequence{0x01, 0x7F, 0, 0, 0},
    Sequence{0xC2, 0xDF, 1, 0x80, 0xBF},
    Sequence{0xE0, 0xE0, 2, 0xA0, 0xBF},
    Sequence{0xE1, 0xEC, 2, 0x80, 0xBF},
    Sequence{0xED, 0xED, 2, 0x80, 0x9F},
    Sequence{0xEE, 0xEF, 2, 0x80, 0xBF},
    Sequence{0xF0, 0xF0, 3, 0x90, 0xBF},
    Sequence{0xF1, 0xF3, 3, 0x80, 0xBF},
    Sequence{0xF4, 0xF4, 3, 0x80, 0x8F},
};

/// Bytes of the well-formed character that `text` begins with; 0 for any other bytes and for NUL.
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
    for (const Sequence& sequence : sequences) {
        if (byte(0) < sequence.first_min || byte(0) > sequence.first_max) continue;
        if (text.size() <= sequence.continuation_bytes) return 0;
        for (std::size_t i = 1; i <= sequence.continuation_bytes; ++i) {
            const std::uint8_t min = i == 1 ? sequence.second_min : std::uint8_t{0x80};
            const std::uint8_t max = i == 1 ? sequence.second_max : std::uint8_t{0xBF};
            if (byte(i) < min || byte(i) > max) return 0;
        }
        return std::size_t{sequence.continuation_bytes} + 1;
    }
    return 0;
}

/// Throws unless PostgreSQL could hold `text` in a UTF8 database. The bytes are not repeated in the
/// message: they could forge a log line.
void require_valid(std::string_view text, const char* what) {
    for (std::size_t offset = 0; offset < text.size();) {
        const std::size_t length = character_bytes(text.substr(offset));
        if (length == 0) {
            throw std::invalid_argument{
                std::string{"invalid "} + what + ": a NUL or invalid UTF-8 at byte " +
                std::to_string(offset)};
        }
        offset += length;
    }
}

void append_doubled(std::string& out, std::string_view text, std::string_view doubled) {
    for (const char c : text) {
        if (doubled.find(c) != std::string_view::npos) out += c;
        out += c;
    }
}

}  // namespace

std::string quote_identifier(std::string_view name) {
    if (name.empty()) throw std::invalid_argument{"invalid identifier: it is empty"};
    require_valid(name, "identifier");
    std::string quoted;
    quoted.reserve(name.size() + 2);
    quoted += '"';
    append_doubled(quoted, name, "\"");
    quoted += '"';
    return quoted;
}

std::string quote_qualified(std::string_view schema, std::string_view name) {
    return quote_identifier(schema) + '.' + quote_identifier(name);
}

std::string quote_literal(std::string_view value) {
    require_valid(value, "literal");
    // E'' means the same whatever standard_conforming_strings says.
    std::string quoted{value.find('\\') == std::string_view::npos ? "'" : "E'"};
    quoted.reserve(value.size() + 3);
    append_doubled(quoted, value, "'\\");
    quoted += '\'';
    return quoted;
}

}  // namespace pgchronicle::pq
