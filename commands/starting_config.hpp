#pragma once

#include <string>
#include <vector>

namespace pgchronicle::commands {

/// What `init` found on the source.
struct Discovery {
    std::string source_dsn;  ///< Without a password.
    std::string target_dsn;  ///< Without a password; empty: write an example.
    std::string database;
    std::vector<std::string> slots;  ///< pgoutput slots of that database.
    std::vector<std::string> publications;
    std::vector<std::string> schemas;  ///< Of the first publication's tables, or of all tables.
    std::vector<std::string>
        extension_schemas;  ///< Schemas of extensions whose tables are published.
};

/// A commented starting configuration, as YAML.
[[nodiscard]] std::string starting_config(const Discovery& found);

/// The SQL that makes what `found` lacks; empty when it lacks nothing.
[[nodiscard]] std::string proposed_sql(const Discovery& found);

/// A YAML scalar that reads as `text`, a dollar sign included.
[[nodiscard]] std::string yaml_scalar(const std::string& text);

}  // namespace pgchronicle::commands
