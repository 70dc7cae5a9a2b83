#include "reports/named_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pgchronicle::reports {
namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

bool begins_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool continues_name(char c) {
    return begins_name(c) || is_digit(c);
}

/// Goes through a statement once, from token to token.
/// Source: manual, "Lexical Structure".
class Scanner {
public:
    Scanner(std::string_view sql, const std::vector<Placeholder>& placeholders, int first_line)
        : sql_{sql}, placeholders_{placeholders}, line_{first_line} {
        numbered_.used.resize(placeholders.size());
    }

    Numbered run() {
        while (at_ < sql_.size()) step();
        if (!first_word_) fault("the report has no statement");
        return std::move(numbered_);
    }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
    }
    [[nodiscard]] bool next_is(std::string_view text) const {
        return sql_.substr(at_).starts_with(text);
    }

    void fault(std::string message, std::string hint = {}) {
        numbered_.faults.push_back({line_, std::move(message), std::move(hint)});
    }

    /// Copies so many characters.
    void take(std::size_t count) {
        const auto text = sql_.substr(at_, count);
        line_ += static_cast<int>(std::ranges::count(text, '\n'));
        numbered_.sql += text;
        at_ += text.size();
    }

    void step() {
        const char c = peek();
        if (blanks.find(c) != std::string_view::npos) return take(1);
        if (next_is("--")) return take(std::min(sql_.find('\n', at_), sql_.size()) - at_);
        if (next_is("/*")) return block_comment();
        if (c == ';') return semicolon();
        begin_token();
        if (c == '\'') return quoted('\'', false);
        if (c == '"') return quoted('"', false);
        if (c == '$') return dollar();
        if (next_is("::")) return take(2);
        if (c == ':' && begins_name(peek(1))) return parameter();
        if (begins_name(c)) return word();
        if (is_digit(c)) return number();
        take(1);
    }

    /// Anything but blanks and comments: of the statement, or of another one after it.
    void begin_token() {
        if (ended_ && !second_) {
            second_ = true;
            fault("the report has more than one statement", "A report is one SELECT.");
        }
        if (first_word_) return;
        first_word_ = true;
        std::size_t length = 0;
        while (continues_name(peek(length))) ++length;
        std::string word{sql_.substr(at_, length)};
        std::ranges::transform(word, word.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        constexpr std::array<std::string_view, 4> readers{"select", "with", "values", "table"};
        if (peek() == '(' || std::ranges::find(readers, word) != readers.end()) return;
        fault("the report does not begin with SELECT", "A report reads: SELECT, WITH or VALUES.");
    }

    void semicolon() {
        // Nothing may follow, so nothing of it has to be sent.
        ended_ = true;
        ++at_;
    }

    void block_comment() {
        const int begun = line_;
        std::size_t depth = 0;
        do {
            if (at_ >= sql_.size()) return unterminated(begun, "comment");
            if (next_is("/*")) {
                ++depth;
                take(2);
            } else if (next_is("*/")) {
                --depth;
                take(2);
            } else {
                take(1);
            }
        } while (depth > 0);
    }

    void unterminated(int begun, const char* what) {
        numbered_.faults.push_back({begun, fmt::format("a {} begins here and has no end", what)});
    }

    /// A doubled quote is two strings side by side here, which is the same to whoever copies.
    void quoted(char quote, bool escapes) {
        const int begun = line_;
        do {
            take(1);
            while (at_ < sql_.size() && peek() != quote) take(escapes && peek() == '\\' ? 2 : 1);
            if (at_ >= sql_.size()) return unterminated(begun, quote == '"' ? "name" : "string");
            take(1);
        } while (escapes && peek() == quote);
    }

    void dollar() {
        std::size_t length = 1;
        if (begins_name(peek(1))) {
            while (continues_name(peek(length))) ++length;
        }
        if (peek(length) == '$') {
            const auto tag = sql_.substr(at_, length + 1);
            const auto end = sql_.find(tag, at_ + tag.size());
            if (end == std::string_view::npos) {
                unterminated(line_, "dollar-quoted string");
                return take(sql_.size() - at_);
            }
            return take(end + tag.size() - at_);
        }
        if (is_digit(peek(1))) {
            fault("a parameter has a number", "Declare it, and write :name.");
        }
        take(1);
    }

    void number() {
        // Whatever belongs to it: 1_000, 0x1F, 1e5.
        while (continues_name(peek()) || peek() == '.') take(1);
    }

    void word() {
        std::size_t length = 0;
        while (continues_name(peek(length)) || peek(length) == '$') ++length;
        const auto name = sql_.substr(at_, length);
        take(length);
        if (peek() == '\'' && (name == "E" || name == "e")) quoted('\'', true);
    }

    void parameter() {
        std::size_t length = 0;
        while (continues_name(peek(length + 1))) ++length;
        const std::string name{sql_.substr(at_ + 1, length)};
        // It would be one word with its number: a:b is a$1.
        const char before = at_ > 0 ? sql_[at_ - 1] : ' ';
        if (continues_name(before) || before == '$' || peek(length + 1) == '$') {
            fault(
                fmt::format("parameter \"{}\" has no blank beside it", name),
                "Write a blank; within the brackets of a slice, one after the colon for a column."
            );
        }
        const auto found = std::ranges::find(placeholders_, name, &Placeholder::name);
        if (found == placeholders_.end()) {
            fault(
                fmt::format("parameter \"{}\" is not declared", name),
                fmt::format("Declare it at the top: -- param: {} text -- what it is", name)
            );
            return take(length + 1);
        }
        const auto index = static_cast<std::size_t>(found - placeholders_.begin());
        numbered_.used[index] = true;
        numbered_.sql += fmt::format("${}::{}", index + 1, found->sql_type);
        at_ += length + 1;
    }

    std::string_view sql_;
    const std::vector<Placeholder>& placeholders_;
    int line_;
    std::size_t at_{0};
    bool first_word_{false};
    bool ended_{false};
    bool second_{false};
    Numbered numbered_;
};

}  // namespace

Numbered number_parameters(
    std::string_view sql,
    const std::vector<Placeholder>& placeholders,
    int first_line
) {
    return Scanner{sql, placeholders, first_line}.run();
}

}  // namespace pgchronicle::reports
