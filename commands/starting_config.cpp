#include "commands/starting_config.hpp"

#include "log/printable.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace pgchronicle::commands {
namespace {

constexpr const char* default_slot = "pgchronicle";
constexpr const char* default_publication = "pgchronicle_publication";
constexpr const char* example_target =
    "host=localhost port=5433 dbname=analytics_db user=analytics_user";

std::string first_or(const std::vector<std::string>& items, const char* otherwise) {
    return items.empty() ? otherwise : items.front();
}

/// "  # others there: a, b", for the choice that was made.
std::string others(const std::vector<std::string>& items) {
    std::string text;
    for (std::size_t i = 1; i < items.size(); ++i) text += (i == 1 ? "" : ", ") + items[i];
    return text.empty() ? "" : "  # there are also: " + yaml_scalar(text);
}

std::string pattern_list(const std::vector<std::string>& schemas, const std::string& otherwise) {
    std::string text;
    for (const std::string& schema : schemas) {
        text += (text.empty() ? "" : ", ") + yaml_scalar(schema + ".*");
    }
    return "[" + (text.empty() ? otherwise : text) + "]";
}

bool plain(const std::string& text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_';
    }) && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
}

/// The pipeline's name appears in lock names and metrics; the database's letters will do.
std::string pipeline_name(const std::string& database) {
    std::string name;
    for (const char c : database) {
        name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ? c : '_';
    }
    return name.empty() ? "default" : name;
}

}  // namespace

std::string yaml_scalar(const std::string& text) {
    // Words that YAML would read as something else are quoted along with everything unusual.
    const bool word = text == "true" || text == "false" || text == "null" || text == "yes" ||
                      text == "no" || text == "on" || text == "off" || text == "y" || text == "n";
    if (plain(text) && !word) return text;
    std::string quoted{"\""};
    for (std::string_view rest{text}; !rest.empty();) {
        const auto character = log::front_character(rest);
        const auto code_point = character.code_point;
        if (code_point == '"' || code_point == '\\') {
            quoted += '\\';
            quoted += static_cast<char>(code_point);
        } else if (code_point == '$') {
            quoted += "$$";  // ${VAR} is taken from the environment
        } else if (log::is_unprintable(code_point)) {
            quoted += fmt::format("\\u{:04x}", code_point);
        } else {
            quoted += rest.substr(0, character.length_bytes);
        }
        rest.remove_prefix(character.length_bytes);
    }
    return quoted + "\"";
}

std::string proposed_sql(const Discovery& found) {
    std::string sql;
    if (found.publications.empty()) {
        sql += fmt::format(
            "CREATE PUBLICATION {} FOR ALL TABLES;\n", pq::quote_identifier(default_publication)
        );
    }
    if (found.slots.empty()) {
        sql += fmt::format(
            "SELECT pg_create_logical_replication_slot({}, 'pgoutput');\n",
            pq::quote_literal(default_slot)
        );
    }
    return sql;
}

std::string starting_config(const Discovery& found) {
    const std::string target = found.target_dsn.empty() ? example_target : found.target_dsn;
    std::string text = fmt::format(
        R"(# pgchronicle.yaml: a starting point. "pgchronicle check" says what is missing still.
# ${{VAR}} is taken from the environment; password_file reads a secret from a file instead.

source:                             # the database whose history is kept
  dsn: {}
  password: ${{SOURCE_PASSWORD}}
  slot: {}{}
  publication: {}{}
  create_slot: if_missing           # never | if_missing

target:                             # where the history goes; any PostgreSQL from 14 on
{}  dsn: {}
  password: ${{TARGET_PASSWORD}}
  schema: analytics                 # may contain {{schema}}, the source table's schema
  table_suffix: _history            # orders becomes orders_history

# Names the checkpoint: one name for each slot.
pipeline: {}
)",
        yaml_scalar(found.source_dsn),
        yaml_scalar(first_or(found.slots, default_slot)),
        others(found.slots),
        yaml_scalar(first_or(found.publications, default_publication)),
        others(found.publications),
        found.target_dsn.empty() ? "  # An example: put yours here.\n" : "",
        yaml_scalar(target),
        yaml_scalar(pipeline_name(found.database))
    );
    text += fmt::format(
        R"(
tables:                             # of the published ones
  include: {}
  exclude: {}
  # overrides:
  #   operations.order_items: {{rename: {{quanity: quantity}}, exclude: [notes]}}

snapshot: initial                   # copy what the tables hold first: initial | never

# batch: {{max_delay: 50ms, max_rows: 50000, max_bytes: 32MiB}}
# memory_limit: 256MiB
# log: {{level: info, format: text}}  # text | json
)",
        pattern_list(found.schemas, "\"*.*\""),
        pattern_list(found.extension_schemas, "")
    );
    return text;
}

}  // namespace pgchronicle::commands
