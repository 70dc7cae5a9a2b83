#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

// Takes a statement apart, from the manual's words alone: nothing of it is the program's code.
// Source: manual, sql-syntax-lexical.

namespace pgchronicle::test {

enum class PieceKind : std::uint8_t {
    kept,       ///< A string, a quoted name or a comment: what stands in it means nothing.
    word,       ///< A name or a keyword, or a number with what belongs to it.
    parameter,  ///< $1
    other,      ///< One character, or "::".
};

struct SqlPiece {
    PieceKind kind{PieceKind::other};
    std::string_view text;
};

namespace pieces {

inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

inline bool begins_word(char c) {
    const auto lower = static_cast<char>(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80U;
}

/// How many characters from the front are of a word; `also` belongs to it, too.
inline std::size_t word_length(std::string_view text, char also) {
    const auto ends = [&](char c) { return !begins_word(c) && !is_digit(c) && c != also; };
    return static_cast<std::size_t>(std::ranges::find_if(text, ends) - text.begin());
}

inline std::size_t quoted_length(std::string_view text, bool escapes) {
    const char quote = text.front();
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (escapes && text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            if (i + 1 == text.size() || text[i + 1] != quote) return i + 1;
            ++i;
        }
    }
    return text.size();
}

inline std::size_t comment_length(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        if (text.substr(i).starts_with("/*")) {
            ++depth;
            ++i;
        } else if (text.substr(i).starts_with("*/")) {
            ++i;
            if (--depth == 0) return i + 1;
        }
    }
    return text.size();
}

inline SqlPiece dollar(std::string_view text) {
    const auto tag_end = word_length(text.substr(1), '_') + 1;
    const bool numbered = text.size() > 1 && is_digit(text[1]);
    if (!numbered && tag_end < text.size() && text[tag_end] == '$') {
        const auto tag = text.substr(0, tag_end + 1);
        const auto end = text.find(tag, tag.size());
        return {PieceKind::kept, text.substr(0, end == text.npos ? text.size() : end + tag.size())};
    }
    if (!numbered) return {PieceKind::other, text.substr(0, 1)};
    const auto end = std::ranges::find_if_not(text.substr(1), is_digit);
    return {PieceKind::parameter, {text.begin(), end}};
}

inline SqlPiece first(std::string_view text) {
    const char c = text.front();
    if (text.starts_with("--")) return {PieceKind::kept, text.substr(0, text.find('\n'))};
    if (text.starts_with("/*")) return {PieceKind::kept, text.substr(0, comment_length(text))};
    if (c == '\'' || c == '"') return {PieceKind::kept, text.substr(0, quoted_length(text, false))};
    if ((c == 'e' || c == 'E') && text.substr(1).starts_with('\'')) {
        return {PieceKind::kept, text.substr(0, quoted_length(text.substr(1), true) + 1)};
    }
    if (c == '$') return dollar(text);
    if (begins_word(c)) return {PieceKind::word, text.substr(0, word_length(text, '$'))};
    if (is_digit(c)) return {PieceKind::word, text.substr(0, word_length(text, '.'))};
    return {PieceKind::other, text.substr(0, text.starts_with("::") ? 2 : 1)};
}

}  // namespace pieces

/// Every character is in one of them.
inline std::vector<SqlPiece> sql_pieces(std::string_view sql) {
    std::vector<SqlPiece> result;
    while (!sql.empty()) {
        result.push_back(pieces::first(sql));
        sql.remove_prefix(result.back().text.size());
    }
    return result;
}

}  // namespace pgchronicle::test
