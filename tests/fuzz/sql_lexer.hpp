#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Reads back what was quoted, from the manual's words alone: nothing of it is the program's code.
// Source: manual, sql-syntax-lexical.

namespace pgchronicle::test {

/// A piece of SQL that was read, and what follows it.
struct Lexed {
    std::string text;
    std::string_view rest;
};

/// Text between `quote`s, where two of them stand for one, and with `escapes` a backslash for what
/// follows it. Nothing when it does not begin or never ends.
inline std::optional<Lexed> lex_quoted(std::string_view sql, char quote, bool escapes) {
    if (sql.empty() || sql.front() != quote) return std::nullopt;
    Lexed lexed;
    for (std::size_t i = 1; i < sql.size(); ++i) {
        const bool has_next = i + 1 < sql.size();
        if (escapes && sql[i] == '\\') {
            // Only this one is ever needed; \n, \x and the others mean something else.
            if (!has_next || sql[i + 1] != '\\') return std::nullopt;
            lexed.text += sql[++i];
        } else if (sql[i] != quote) {
            lexed.text += sql[i];
        } else if (has_next && sql[i + 1] == quote) {
            lexed.text += sql[++i];
        } else {
            lexed.rest = sql.substr(i + 1);
            return lexed;
        }
    }
    return std::nullopt;
}

inline std::optional<Lexed> lex_identifier(std::string_view sql) {
    auto lexed = lex_quoted(sql, '"', false);
    if (lexed && lexed->text.empty()) return std::nullopt;  // zero-length delimited identifier
    return lexed;
}

/// '...' as the server reads it with either value of standard_conforming_strings, or E'...'.
inline std::optional<Lexed> lex_literal(std::string_view sql) {
    if (sql.starts_with("E'")) return lex_quoted(sql.substr(1), '\'', true);
    auto lexed = lex_quoted(sql, '\'', false);
    if (lexed && lexed->text.find('\\') != std::string::npos) return std::nullopt;
    return lexed;
}

/// Whether the text is well-formed UTF-8 without NUL: by code points, not by a table of bytes.
inline bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto first = static_cast<std::uint8_t>(text[i++]);
        unsigned more = 0;
        std::uint32_t code = first;
        if (first >= 0xF0U && first < 0xF8U) {
            more = 3;
            code = first & 0x07U;
        } else if (first >= 0xE0U && first < 0xF0U) {
            more = 2;
            code = first & 0x0FU;
        } else if (first >= 0xC0U && first < 0xE0U) {
            more = 1;
            code = first & 0x1FU;
        } else if (first >= 0x80U) {
            return false;
        }
        for (unsigned k = 0; k < more; ++k) {
            if (i == text.size()) return false;
            const auto next = static_cast<std::uint8_t>(text[i++]);
            if ((next & 0xC0U) != 0x80U) return false;
            code = code << 6U | (next & 0x3FU);
        }
        constexpr std::array<std::uint32_t, 4> smallest{1, 0x80, 0x800, 0x10000};
        const bool surrogate = code >= 0xD800U && code <= 0xDFFFU;
        if (code < smallest.at(more) || code > 0x10FFFFU || surrogate) return false;
    }
    return true;
}

}  // namespace pgchronicle::test
