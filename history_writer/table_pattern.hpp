#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::history_writer {

/// A pattern over qualified table names: `schema.table`, each part with `*` (any characters, none
/// too) and `?` (one character).
///
/// The first dot divides the parts, so `*.a.b` means the table named `a.b`. Letters count as they
/// are stored in the catalog: case matters and nothing is quoted.
class TablePattern {
public:
    /// Nothing when `text` has no dot or nothing on one of its sides.
    [[nodiscard]] static std::optional<TablePattern> parse(std::string_view text);

    [[nodiscard]] bool matches(std::string_view schema, std::string_view table) const;

private:
    TablePattern(std::string_view schema, std::string_view table)
        : schema_{schema}, table_{table} {}

    std::string schema_;
    std::string table_;
};

/// Which tables have a history: those that an include pattern matches and no exclude pattern does.
class TableFilter {
public:
    /// Throws std::invalid_argument for what `TablePattern::parse` refuses; a loaded configuration
    /// has none of that.
    TableFilter(const std::vector<std::string>& include, const std::vector<std::string>& exclude);

    [[nodiscard]] bool selects(std::string_view schema, std::string_view table) const;

private:
    std::vector<TablePattern> include_;
    std::vector<TablePattern> exclude_;
};

}  // namespace pgchronicle::history_writer
