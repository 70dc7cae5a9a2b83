#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

// Each table that is kept: identity, rights, names, types.

namespace pgchronicle::replicator {
namespace {

using Problems = std::vector<Problem>;
using history_writer::HistoryTable;
using pgoutput::ReplicaIdentity;
using source_catalog::Table;

/// PostgreSQL's limit. Source: manual, "PostgreSQL Limits".
constexpr std::size_t table_columns_max = 1600;
constexpr std::size_t own_columns = 7;

std::string named(const Table& table) {
    return shown(table.schema_name, table.name);
}

std::string quoted(const Table& table) {
    return pq::quote_qualified(table.schema_name, table.name);
}

bool usable_identity(const Table& table) {
    switch (table.replica_identity) {
    case ReplicaIdentity::by_default:
        return !table.primary_key.empty();
    case ReplicaIdentity::index:
        return !table.identity_index.empty();
    case ReplicaIdentity::full:
        return true;
    case ReplicaIdentity::nothing:
        return false;
    }
    return false;
}

std::string why_no_identity(const Table& table) {
    switch (table.replica_identity) {
    case ReplicaIdentity::by_default:
        return "It has no primary key, or a deferrable one, and REPLICA IDENTITY DEFAULT.";
    case ReplicaIdentity::index:
        return "It has REPLICA IDENTITY USING INDEX, but that index is gone.";
    case ReplicaIdentity::nothing:
        return "It has REPLICA IDENTITY NOTHING.";
    case ReplicaIdentity::full:
        break;
    }
    return {};
}

void judge_identity(const Table& table, const HistoryTable& planned, Problems& problems) {
    const bool has_key = !table.primary_key.empty();
    if (!usable_identity(table)) {
        problems.push_back({
            .what = "table " + named(table) + " has no usable replica identity",
            .detail = why_no_identity(table) +
                      " The source refuses its updates and deletes while they are published, or "
                      "sends them without the row they concern.",
            .hint = has_key ? "Its primary key can be the identity again; FULL would also send old "
                              "values, at the price of more WAL."
                            : "FULL works without a key. A primary key makes less WAL and is "
                              "faster.",
            .mending_sql = "ALTER TABLE " + quoted(table) +
                           (has_key ? " REPLICA IDENTITY DEFAULT;" : " REPLICA IDENTITY FULL;"),
        });
        return;
    }
    if (planned.keyed) return;
    if (table.replica_identity != ReplicaIdentity::full) {
        problems.push_back({
            .where = Side::configuration,
            .what = "key columns of table " + named(table) + " are excluded or not published",
            .detail = "Updates and deletes send the key only, so that the row they concern could "
                      "not be found.",
            .hint = "Keep the key columns, or set REPLICA IDENTITY FULL.",
            .mending_sql = "ALTER TABLE " + quoted(table) + " REPLICA IDENTITY FULL;",
        });
        return;
    }
    if (!planned.tracks_all) {
        problems.push_back({
            .where = Side::configuration,
            .what = "columns of table " + named(table) + " cannot be left untracked",
            .detail = "It has no key, so that every column tells its rows apart.",
            .hint = "Remove tables.overrides." + qualified(table) +
                    ".track, or give the table a primary key.",
        });
        return;
    }
    problems.push_back({
        .severity = Severity::note,
        .what = "table " + named(table) + " has no key",
        .detail = "Its rows are told apart by their whole content: identical rows have "
                  "interchangeable histories, and each change costs more.",
    });
}

void judge_shape(const Table& table, const HistoryTable& planned, Problems& problems) {
    if (planned.columns.size() + own_columns > table_columns_max) {
        problems.push_back({
            .what = "table " + named(table) + " has too many columns",
            .detail = "Its history needs " + std::to_string(planned.columns.size()) + " + " +
                      std::to_string(own_columns) + " columns; PostgreSQL allows " +
                      std::to_string(table_columns_max) + ".",
            .hint = "Exclude columns, or the table.",
        });
    }
    if (table.row_filter) {
        problems.push_back({
            .severity = Severity::warning,
            .what = "table " + named(table) + " is published with a row filter",
            .detail = "Only rows with " + *table.row_filter +
                      " are sent. A row that stops matching is recorded as deleted, and one that "
                      "begins to match as inserted.",
        });
    }
    if (table.unlogged) {
        problems.push_back({
            .severity = Severity::warning,
            .what = "table " + named(table) + " is unlogged",
            .detail = "Its changes are not in the WAL and never arrive.",
            .mending_sql = "ALTER TABLE " + quoted(table) + " SET LOGGED;",
        });
    }
}

/// Two columns of one name: ours and the source's, or two of the source's after a rename.
void judge_column_names(const Table& table, const HistoryTable& planned, Problems& problems) {
    const auto& names = planned.names;
    using Own = std::pair<const char*, const std::string*>;
    const std::array own{
        Own{"valid_from", &names.valid_from},
        Own{"valid_to", &names.valid_to},
        Own{"is_current", &names.is_current},
        Own{"operation_type", &names.operation_type},
        Own{"lsn_from", &names.lsn_from},
        Own{"lsn_to", &names.lsn_to},
        Own{"change_seq", &names.change_seq},
    };
    std::set<std::string> seen;
    for (const auto& column : planned.columns) {
        if (!seen.insert(column.name).second) {
            problems.push_back({
                .where = Side::configuration,
                .what = "two columns of table " + named(table) + " become " + shown(column.name),
                .detail = "One of them is " + shown(column.source_name) + ".",
                .hint = "Correct tables.overrides." + qualified(table) + ".rename.",
            });
        }
        for (const auto& [key, name] : own) {
            if (column.name != *name) continue;
            problems.push_back({
                .where = Side::configuration,
                .what = "column " + shown(column.source_name) + " of table " + named(table) +
                        " has the name of a history column",
                .detail = "Each history table has a column " + shown(*name) + " of its own.",
                .hint = "Give the history's another name with tables.history_columns." +
                        std::string{key} + ", or the source's with tables.overrides." +
                        qualified(table) + ".rename. Renaming it on the source works, too.",
                .mending_sql = "ALTER TABLE " + quoted(table) + " RENAME COLUMN " +
                               pq::quote_identifier(column.source_name) + " TO " +
                               pq::quote_identifier(column.source_name + "_1") + ";",
            });
        }
    }
}

std::string why_text(const source_catalog::Column& column) {
    switch (column.type_kind) {
    case 'e':
        return "an enum";
    case 'd':
        return "a domain over a type that the target may not have";
    case 'c':
        return "a composite type";
    case 'r':
        return "a range type of its own";
    case 'm':
        return "a multirange type of its own";
    default:
        break;
    }
    if (column.array && static_cast<std::uint32_t>(column.type) >= pgoutput::first_normal_oid) {
        return "an array of a type that the target may not have";
    }
    if (static_cast<std::uint32_t>(column.type) >= pgoutput::first_normal_oid) {
        return "from an extension, or of its own";
    }
    constexpr std::array grown{"interval", "_interval", "jsonpath", "_jsonpath"};
    if (std::ranges::find(grown, column.type_name) != grown.end()) {
        return "a type of which the target's older version does not know every value";
    }
    return "a reference to an object of the source by name";
}

void judge_types(const Table& table, const HistoryTable& planned, Problems& problems) {
    std::string detail;
    std::string extensions;
    std::size_t count = 0;
    for (std::size_t i = 0; i < table.columns.size() && i < planned.kept.size(); ++i) {
        if (planned.kept[i] < 0) continue;
        if (!planned.columns[static_cast<std::size_t>(planned.kept[i])].stored_as_text) continue;
        const auto& column = table.columns[i];
        if (!detail.empty()) detail += ' ';
        detail += "Type " + column.type_sql + " of column " + shown(column.name) + " is " +
                  why_text(column) + ".";
        ++count;
        if (column.extension.empty() || !column.has_binary_send) continue;
        const auto sql = "CREATE EXTENSION " + pq::quote_identifier(column.extension) + ";";
        if (extensions.find(sql) == std::string::npos) {
            extensions += (extensions.empty() ? "" : " ") + sql;
        }
    }
    if (count == 0) return;
    problems.push_back({
        .severity = Severity::note,
        .what = counted(count, "column") + " of table " + named(table) +
                (count == 1 ? " is" : " are") + " kept as text",
        .detail = std::move(detail),
        .hint = extensions.empty() ? ""
                                   : "Types of extensions are kept as they are if the target has "
                                     "the extension before its history table is made: " +
                                         extensions,
    });
}

void judge_collisions(const std::vector<HistoryTable>& planned, Problems& problems) {
    std::map<history_writer::TargetName, std::vector<std::string>> sources;
    for (const auto& table : planned) {
        sources[{table.target_schema, table.target_table}].push_back(
            shown(table.source_schema, table.source_table)
        );
    }
    for (const auto& [name, tables] : sources) {
        if (tables.size() < 2) continue;
        problems.push_back({
            .where = Side::configuration,
            .what = counted(tables.size(), "source table") + " map to one history table, " +
                    shown(name.schema, name.table),
            .detail = "They are " + shown_list(tables) + ".",
            .hint = "Put {schema} into target.schema, or name another table with "
                    "tables.overrides.<schema.table>.target.",
        });
    }
}

/// The tables' SELECT rights as one problem a schema: they are granted together, too.
void judge_select(const Facts& facts, Problems& problems) {
    if (facts.settings.snapshot != config::Snapshot::initial) return;
    std::map<std::string, std::vector<const Table*>> by_schema;
    for (const auto& table : facts.source->tables) {
        if (table.can_select) continue;
        if (!history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        by_schema[table.schema_name].push_back(&table);
    }
    const std::string role = pq::quote_identifier(facts.source->server.role);
    for (const auto& [schema, tables] : by_schema) {
        std::vector<std::string> names;
        std::vector<std::string> quoted_names;
        for (const Table* table : tables) {
            names.push_back(named(*table));
            quoted_names.push_back(quoted(*table));
        }
        std::string sql = "GRANT USAGE ON SCHEMA ";
        sql.append(pq::quote_identifier(schema)).append(" TO ").append(role).append(";\n");
        sql.append("GRANT SELECT ON ").append(joined(quoted_names));
        sql.append(" TO ").append(role).append(";");
        problems.push_back({
            .what = "role " + shown(facts.source->server.role) + " may not read " +
                    counted(tables.size(), "table") + " of schema " + shown(schema),
            .detail = "The initial copy needs SELECT on " + shown_list(names) +
                      ", and USAGE on the schema.",
            .hint = "ALTER DEFAULT PRIVILEGES grants it for tables to come. With \"snapshot: "
                    "never\" it is not needed.",
            .mending_sql = std::move(sql),
        });
    }
}

void judge_row_security(const Facts& facts, Problems& problems) {
    if (facts.settings.snapshot != config::Snapshot::initial) return;
    std::vector<std::string> tables;
    for (const auto& name : facts.source->row_security) {
        if (!history_writer::wanted(name.schema, name.table, facts.settings)) continue;
        tables.push_back(shown(name.schema, name.table));
    }
    if (tables.empty()) return;
    problems.push_back({
        .what = "row-level security hides rows of " + counted(tables.size(), "table"),
        .detail = "The initial copy of " + shown_list(tables) +
                  " would be incomplete, and fails instead. The stream is not concerned.",
        .mending_sql =
            "ALTER ROLE " + pq::quote_identifier(facts.source->server.role) + " BYPASSRLS;",
    });
}

void judge_partitions(const Facts& facts, Problems& problems) {
    for (const auto& partition : facts.source->odd_partitions) {
        if (!history_writer::wanted(partition.root_schema, partition.root_name, facts.settings)) {
            continue;
        }
        problems.push_back({
            .severity = Severity::warning,
            .what = "partition " + shown(partition.schema_name, partition.name) +
                    " has another replica identity than its root " +
                    shown(partition.root_schema, partition.root_name),
            .detail = "The root's is announced, the partition's is sent: old rows can lack values.",
            .hint = "ALTER TABLE ... REPLICA IDENTITY of a root does not reach its partitions.",
            .mending_sql = "ALTER TABLE " +
                           pq::quote_qualified(partition.schema_name, partition.name) +
                           " REPLICA IDENTITY FULL;",
        });
    }
}

void judge_generated(const Facts& facts, Problems& problems) {
    for (const auto& table : facts.source->generated) {
        if (!history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        std::vector<std::string> names;
        for (const auto& column : table.columns) names.push_back(shown(column));
        problems.push_back({
            .severity = Severity::note,
            .what = "generated columns of table " + shown(table.schema_name, table.name) +
                    " are not published",
            .detail = "The history has no column " + shown_list(names) +
                      ". PostgreSQL 18 publishes stored ones with publish_generated_columns = "
                      "stored.",
        });
    }
}

}  // namespace

void judge_tables(const Facts& facts, Problems& problems) {
    const auto planned = planned_tables(facts);
    auto next = planned.begin();
    for (const auto& table : facts.source->tables) {
        if (!history_writer::wanted(table.schema_name, table.name, facts.settings)) continue;
        const HistoryTable& history = *next++;
        judge_identity(table, history, problems);
        judge_shape(table, history, problems);
        judge_column_names(table, history, problems);
        judge_types(table, history, problems);
    }
    judge_collisions(planned, problems);
    judge_select(facts, problems);
    judge_row_security(facts, problems);
    judge_partitions(facts, problems);
    judge_generated(facts, problems);
}

}  // namespace pgchronicle::replicator
