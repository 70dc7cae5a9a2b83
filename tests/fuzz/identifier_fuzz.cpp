#include "history_writer/history_table.hpp"
#include "pq/quoting.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/sql_lexer.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

// Any bytes as a name and as a value: quoted, they are read back as they were, or they are refused
// because no PostgreSQL could hold them.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;

/// What `quote` gives; nothing when it refuses.
std::optional<std::string> attempt(const std::function<std::string()>& quote) {
    try {
        return quote();
    } catch (const std::invalid_argument& error) {
        const std::string said = error.what();
        require(!said.empty(), "a refusal says why");
        require(said.find_first_of("\r\n") == std::string::npos, "a refusal is one line");
        require(said.size() < 100, "a refusal does not repeat the bytes");
        return std::nullopt;
    }
}

void check_whole(const std::optional<Lexed>& lexed, const std::string& wanted) {
    require(lexed.has_value(), "what is quoted is one token");
    require(lexed->rest.empty(), "nothing follows the token");
    require(lexed->text == wanted, "what is read is what was quoted");
}

void check_qualified(const std::string& schema, const std::string& name) {
    const auto quoted = attempt([&] { return pq::quote_qualified(schema, name); });
    const bool good = is_utf8(schema) && is_utf8(name) && !schema.empty() && !name.empty();
    require(quoted.has_value() == good, "both names are looked at");
    if (!quoted) return;
    const auto first = lex_identifier(*quoted);
    require(first && first->text == schema, "the schema is read back");
    require(first->rest.starts_with('.'), "a dot follows the schema");
    check_whole(lex_identifier(first->rest.substr(1)), name);
}

/// PostgreSQL would cut a longer name, and two that differ behind the cut would be one.
void check_shortened(const std::string& name) {
    constexpr std::size_t name_bytes_max = 63;
    const auto shortened = history_writer::shortened(name);
    require(shortened.size() <= name_bytes_max, "a name fits");
    require(is_utf8(shortened), "a name is not cut inside of a character");
    require(name.size() > name_bytes_max || shortened == name, "what fits stays");
    require(history_writer::shortened(name + "x") != shortened, "another name stays another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const bool good = is_utf8(text);

    const auto literal = attempt([&] { return pq::quote_literal(text); });
    require(literal.has_value() == good, "a literal is any UTF-8 without NUL, and nothing else");
    if (literal) check_whole(lex_literal(*literal), text);

    const auto identifier = attempt([&] { return pq::quote_identifier(text); });
    require(identifier.has_value() == (good && !text.empty()), "a name is the same, and not empty");
    if (identifier) {
        check_whole(lex_identifier(*identifier), text);
        check_shortened(text);
    }
    const auto middle = text.size() / 2;
    check_qualified(text.substr(0, middle), text.substr(middle));
    return 0;
}
