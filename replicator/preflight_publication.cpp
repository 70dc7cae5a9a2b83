#include "history_writer/table_pattern.hpp"
#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"
#include "replicator/startup_guard.hpp"

#include <algorithm>
#include <array>

// What the publications publish, and what of it the configuration keeps.

namespace pgchronicle::replicator {
namespace {

using Problems = std::vector<Problem>;
using source_catalog::Publication;

constexpr int schema_publication_version = 150000;

/// What the configuration seems to want published: the schemas it names, if it names no other.
std::string publication_scope(const Facts& facts) {
    constexpr const char* everything = "FOR ALL TABLES";
    if (facts.source->server.version < schema_publication_version) return everything;
    std::vector<std::string> schemas;
    for (const auto& pattern : facts.settings.tables.include) {
        const std::string schema = pattern.substr(0, pattern.find('.'));
        if (schema.find_first_of("*?") != std::string::npos) return everything;
        schemas.push_back(pq::quote_identifier(schema));
    }
    std::ranges::sort(schemas);
    schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
    return schemas.empty() ? everything : "FOR TABLES IN SCHEMA " + joined(schemas);
}

void judge_missing(const Facts& facts, const std::string& name, Problems& problems) {
    const auto& similar = facts.source->similar_publications;
    const auto found = similar.find(name);
    const std::string identifier = pq::quote_identifier(name);
    Problem problem{
        .what = "publication " + shown(name) + " does not exist",
        .detail =
            "PostgreSQL 17 and older end the stream with an error; 18 sends nothing of its "
            "tables.",
    };
    if (found != similar.end()) {
        problem.hint =
            "Perhaps you meant " + shown(found->second) + ": correct source.publication then.";
        problem.mending_sql = "ALTER PUBLICATION " + pq::quote_identifier(found->second) +
                              " RENAME TO " + identifier +
                              ";  -- only if the configuration is right";
    } else {
        problem.hint =
            "Publishing all tables or a schema's takes a superuser; the owner of tables "
            "can publish them by name: FOR TABLE a, b.";
        problem.mending_sql =
            "CREATE PUBLICATION " + identifier + " " + publication_scope(facts) + ";";
        if (facts.source->slot) {
            problem.hint +=
                " Changes that wait in the slot already cannot be read with it; "
                "\"check\" will say so.";
        }
    }
    problems.push_back(std::move(problem));
}

void judge_operations(const Facts& facts, Problems& problems) {
    constexpr std::array operations{"insert", "update", "delete", "truncate"};
    for (const Publication& publication : facts.source->publications) {
        const auto missing = operations_left_out(publication);
        if (missing.empty()) continue;
        std::vector<std::string> published;
        for (const char* operation : operations) {
            if (std::ranges::find(missing, operation) == missing.end()) {
                published.emplace_back(operation);
            }
        }
        problems.push_back({
            .what =
                "publication " + shown(publication.name) + " does not publish " + joined(missing),
            .detail =
                "It has publish = '" + joined(published) +
                "'. Operations that it leaves out would be missing from the history silently.",
            .mending_sql = "ALTER PUBLICATION " + pq::quote_identifier(publication.name) +
                           " SET (publish = 'insert, update, delete, truncate');",
        });
    }
}

bool selects_any(const history_writer::TablePattern& pattern, const Facts& facts) {
    return std::ranges::any_of(facts.source->tables, [&](const auto& table) {
        return pattern.matches(table.schema_name, table.name);
    });
}

std::string add_tables_sql(const Facts& facts, const std::vector<std::string>& tables) {
    if (facts.source->publications.empty() || tables.empty()) return {};
    return "ALTER PUBLICATION " + pq::quote_identifier(facts.source->publications.front().name) +
           " ADD TABLE " + joined(tables) + ";";
}

/// Patterns that the configuration spells out, but nothing published answers to.
void judge_patterns(const Facts& facts, Problems& problems) {
    for (const auto& text : facts.settings.tables.include) {
        const auto pattern = history_writer::TablePattern::parse(text);
        if (!pattern || selects_any(*pattern, facts)) continue;
        std::vector<std::string> unpublished;
        for (const auto& table : facts.source->unpublished) {
            if (table.unlogged || !pattern->matches(table.schema_name, table.name)) continue;
            unpublished.push_back(pq::quote_qualified(table.schema_name, table.name));
        }
        problems.push_back({
            .severity = Severity::warning,
            .where = unpublished.empty() ? Side::configuration : Side::source,
            .what = "include pattern " + shown(text) + " matches no published table",
            .detail = unpublished.empty() ? "No table of the source has such a name."
                                          : "Tables of such names exist but are not published.",
            .hint = unpublished.empty() ? "Case matters, and names are not quoted there." : "",
            .mending_sql = add_tables_sql(facts, unpublished),
        });
    }
}

void judge_overrides(const Facts& facts, Problems& problems) {
    for (const auto& entry : facts.settings.tables.overrides) {
        const std::string& name = entry.first;
        const config::TableOverride& override = entry.second;
        const auto& tables = facts.source->tables;
        const auto table = std::ranges::find_if(tables, [&](const auto& candidate) {
            return qualified(candidate) == name;
        });
        if (table == tables.end()) {
            problems.push_back({
                .severity = Severity::warning,
                .where = Side::configuration,
                .what = "tables.overrides names table " + shown(name) + ", which is not published",
            });
            continue;
        }
        std::vector<std::string> columns = override.exclude_columns;
        for (const auto& [from, to] : override.rename) columns.push_back(from);
        if (override.track) std::ranges::copy(*override.track, std::back_inserter(columns));
        for (const auto& column : columns) {
            const bool there = std::ranges::any_of(table->columns, [&](const auto& candidate) {
                return candidate.name == column;
            });
            if (there) continue;
            problems.push_back({
                .severity = Severity::warning,
                .where = Side::configuration,
                .what = "tables.overrides names column " + shown(column) + " of table " +
                        shown(name) + ", which is not published",
                .hint = "Case matters there.",
            });
        }
    }
}

/// Tables that one could miss: published but left out, or wanted but not published.
void judge_leftovers(const Facts& facts, Problems& problems) {
    std::vector<std::string> left_out;
    for (const auto& table : facts.source->tables) {
        if (history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        left_out.push_back(shown(table.schema_name, table.name));
    }
    if (!left_out.empty()) {
        problems.push_back({
            .severity = Severity::note,
            .where = Side::configuration,
            .what = counted(left_out.size(), "published table") +
                    (left_out.size() == 1 ? " gets no history" : " get no history"),
            .detail = "The configuration leaves out " + shown_list(left_out) + ".",
        });
    }
    std::vector<std::string> unlogged;
    std::vector<std::string> unlogged_sql;
    std::vector<std::string> unpublished;
    std::vector<std::string> unpublished_sql;
    for (const auto& table : facts.source->unpublished) {
        if (!history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        const std::string name = pq::quote_qualified(table.schema_name, table.name);
        (table.unlogged ? unlogged : unpublished).push_back(shown(table.schema_name, table.name));
        (table.unlogged ? unlogged_sql : unpublished_sql).push_back(name);
    }
    if (!unlogged.empty()) {
        std::string sql;
        for (const auto& name : unlogged_sql) sql += "ALTER TABLE " + name + " SET LOGGED;\n";
        sql.pop_back();
        problems.push_back({
            .severity = Severity::note,
            .what = counted(unlogged.size(), "table") +
                    (unlogged.size() == 1 ? " is unlogged and gets" : " are unlogged and get") +
                    " no history",
            .detail = "Their changes are not in the WAL: " + shown_list(unlogged) + ".",
            .mending_sql = std::move(sql),
        });
    }
    if (!unpublished.empty()) {
        problems.push_back({
            .severity = Severity::note,
            .what = counted(unpublished.size(), "table") +
                    (unpublished.size() == 1 ? " matches" : " match") + " the configuration but " +
                    (unpublished.size() == 1 ? "is" : "are") + " not published",
            .detail = "They get no history: " + shown_list(unpublished) + ".",
            .mending_sql = add_tables_sql(facts, unpublished_sql),
        });
    }
}

}  // namespace

void judge_publications(const Facts& facts, Problems& problems) {
    for (const auto& name : facts.settings.source.publications) {
        const auto& found = facts.source->publications;
        if (std::ranges::find(found, name, &Publication::name) == found.end()) {
            judge_missing(facts, name, problems);
        }
    }
    judge_operations(facts, problems);
}

void judge_selection(const Facts& facts, Problems& problems) {
    if (facts.source->publications.empty()) return;  // Said already; nothing below could be right.
    if (planned_tables(facts).empty()) {
        problems.push_back({
            .where = Side::configuration,
            .what = "no table is left to keep the history of",
            .detail = "The publications publish " + counted(facts.source->tables.size(), "table") +
                      "; tables.include and tables.exclude select none of them.",
        });
    }
    judge_patterns(facts, problems);
    judge_overrides(facts, problems);
    judge_leftovers(facts, problems);
}

}  // namespace pgchronicle::replicator
