#include "config/units.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/array_text.hpp"
#include "pq/conninfo.hpp"
#include "replicator/slot_commands.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/sql_lexer.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// The small texts that pass between us and the server: positions, arrays, lists of publications,
// libpq's errors, and units. The first byte says which.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;

bool is_hex_half(std::string_view text) {
    const auto is_digit = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    return !text.empty() && text.size() <= 8 && std::ranges::all_of(text, is_digit);
}

void check_lsn(const std::string& text) {
    const auto slash = text.find('/');
    const bool good = slash != std::string::npos && is_hex_half(text.substr(0, slash)) &&
                      is_hex_half(text.substr(slash + 1));
    const auto lsn = pgoutput::parse_lsn(text);
    require(lsn.has_value() == good, "a position is two halves of one to eight digits");
    if (!lsn) return;
    const auto wanted = std::stoull(text.substr(0, slash), nullptr, 16) << 32U |
                        std::stoull(text.substr(slash + 1), nullptr, 16);
    require(lsn->value == wanted, "a position is its halves");
    require(pgoutput::parse_lsn(to_string(*lsn)) == lsn, "a position is read as it is written");
}

/// Divided at a byte that no UTF-8 has.
std::vector<std::string> parts_of(const std::string& text) {
    std::vector<std::string> parts{{}};
    for (const char c : text) {
        if (c == '\xFF') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

void check_array(const std::string& text) {
    const auto items = parts_of(text);
    require(pq::parse_array_text(pq::array_text(items)) == items, "an array is read as written");
    // Any text gives something, and nothing that does not stand in it.
    std::size_t bytes = 0;
    for (const auto& item : pq::parse_array_text(text)) bytes += item.size();
    require(bytes <= text.size(), "elements are made of the text");
}

/// As SplitIdentifierString reads pgoutput's publication_names, where every name has quotes.
std::vector<std::string> names_in(std::string_view list) {
    std::vector<std::string> names;
    while (true) {
        const auto name = lex_identifier(list);
        require(name.has_value(), "a publication's name is one token");
        names.push_back(name->text);
        list = name->rest;
        if (list.empty()) return names;
        require(list.front() == ',', "a comma follows a name");
        list.remove_prefix(1);
    }
}

void check_publications(const std::string& text) {
    replicator::StreamOptions options;
    options.publications = parts_of(text);
    const auto& names = options.publications;
    const bool good =
        std::ranges::all_of(names, [](const auto& name) { return is_utf8(name) && !name.empty(); });
    std::string command;
    try {
        command = replicator::start_replication("slot", pgoutput::Lsn{1}, options);
    } catch (const std::invalid_argument&) {
        require(!good, "names that a server may have are taken");
        return;
    }
    require(good, "other names are refused");
    // The replication grammar knows '' only.
    constexpr std::string_view option = "publication_names ";
    const std::string_view rest =
        std::string_view{command}.substr(command.find(option) + option.size());
    const auto list = lex_quoted(rest, '\'', false);
    require(list.has_value(), "the list is one literal");
    require(list->rest.starts_with(", binary"), "nothing of the list is a command");
    require(names_in(list->text) == names, "the names are read back");
}

void check_error_message(const std::string& text) {
    const auto error = pq::parse_error_message(text);
    require(!error.primary.empty(), "an error says something");
    for (const auto* field : {&error.sqlstate, &error.primary, &error.detail, &error.hint}) {
        const auto control = [](char c) { return c >= 0 && c < ' ' && c != '\t'; };
        require(std::ranges::none_of(*field, control), "a server cannot forge a line");
    }
}

void check_units(const std::string& text) {
    if (const auto duration = config::parse_duration(text)) {
        const auto again = config::parse_duration(config::format_duration(*duration));
        require(again == duration, "a duration is read as it is written");
    }
    if (const auto size = config::parse_size(text)) {
        require(config::parse_size(config::format_size(*size)) == size, "and so is a size");
    }
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    require(!config::parse_count(text) || digits, "a count is digits");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(data + 1, data + size);
    switch (data[0] % 5) {
    case 0:
        check_lsn(text);
        break;
    case 1:
        check_array(text);
        break;
    case 2:
        check_publications(text);
        break;
    case 3:
        check_error_message(text);
        break;
    default:
        check_units(text);
        break;
    }
    return 0;
}
