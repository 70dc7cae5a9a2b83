#include "history_writer/retype_column.hpp"
#include "history_writer/shape_change.hpp"
#include "pq/quoting.hpp"
#include "replicator/preflight_rules.hpp"
#include "replicator/startup_guard.hpp"

#include <algorithm>

// The target: server, rights, what is already there, and whether the checkpoint fits the source.

namespace pgchronicle::replicator {
namespace {

using Problems = std::vector<Problem>;
using history_writer::HistoryTable;

constexpr const char* metadata_schema = "pgchronicle";

void add(Problems& problems, Problem problem) {
    problem.where = Side::target;
    problems.push_back(std::move(problem));
}

void judge_target_server(const TargetFacts& target, Problems& problems) {
    if (target.version < server_version_min) {
        add(problems,
            {
                .what = "target server is older than PostgreSQL 14",
                .detail = "Its version number is " + std::to_string(target.version) + ".",
                .hint = "Upgrade the target; 14 to 18 are supported.",
            });
    }
    if (target.in_recovery) {
        add(problems,
            {
                .what = "target server is in recovery",
                .detail = "A standby cannot be written to.",
                .hint = "Connect to the primary: \"target_session_attrs=read-write\" in the DSN "
                        "finds it among several hosts.",
                .mending_sql = "SELECT pg_promote();  -- only if it is to be the primary",
            });
    } else if (target.read_only) {
        add(problems,
            {
                .what = "sessions of the target are read-only by default",
                .hint = "The setting may stand at the database, the role or the server.",
                .mending_sql = "ALTER ROLE " + pq::quote_identifier(target.role) + " IN DATABASE " +
                               pq::quote_identifier(target.database) +
                               " SET default_transaction_read_only = off;",
            });
    }
}

void judge_rights(const TargetFacts& target, Problems& problems) {
    const std::string role = pq::quote_identifier(target.role);
    const std::string database = pq::quote_identifier(target.database);
    std::vector<std::string> missing;
    for (const auto& [name, rights] : target.schemas) {
        if (!rights.exists) {
            missing.push_back(shown(name));
        } else if (!rights.create || !rights.usage) {
            add(problems,
                {
                    .what = "role " + shown(target.role) + " may not create tables in schema " +
                            shown(name) + " of the target",
                    .detail = name == metadata_schema
                                  ? "It holds the checkpoint and what else pgchronicle knows."
                                  : "History tables are created there.",
                    .mending_sql = "GRANT USAGE, CREATE ON SCHEMA " + pq::quote_identifier(name) +
                                   " TO " + role + ";",
                });
        }
    }
    if (!missing.empty() && !target.create_in_database) {
        add(problems,
            {
                .what = "role " + shown(target.role) + " may not create schemas in the target",
                .detail = "Schema " + shown_list(missing) + " must be created in database " +
                          shown(target.database) + ".",
                .mending_sql = "GRANT CREATE ON DATABASE " + database + " TO " + role + ";",
            });
    }
    if (!target.temporary_tables) {
        add(problems,
            {
                .what =
                    "role " + shown(target.role) + " may not create temporary tables in the target",
                .detail = "Rows that the target completes are staged in them.",
                .mending_sql = "GRANT TEMPORARY ON DATABASE " + database + " TO " + role + ";",
            });
    }
}

bool has_own_columns(const TargetRelation& relation, const config::HistoryColumnNames& names) {
    return std::ranges::all_of(names.in_order(), [&](const std::string& name) {
        return std::ranges::find(relation.columns, name, &TargetColumn::name) !=
               relation.columns.end();
    });
}

std::string alter_column_sql(
    const HistoryTable& table,
    const history_writer::HistoryColumn& column,
    const std::string& role
) {
    const auto view = history_writer::shortened(table.base_name + "_current");
    return history_writer::retype_column_sql({
        .table = pq::quote_qualified(table.target_schema, table.target_table),
        .view = pq::quote_qualified(table.target_schema, view),
        .column = pq::quote_identifier(column.name),
        .type_sql = column.type_sql,
        .is_current = pq::quote_identifier(table.names.is_current),
        .role = pq::quote_identifier(role),
    });
}

/// What stops the writer as soon as it meets the table.
void judge_history_shape(
    const HistoryTable& table,
    const TargetRelation& relation,
    const std::string& role,
    Problems& problems
) {
    const std::string name = shown(table.target_schema, table.target_table);
    for (const auto& column : table.columns) {
        const auto found = std::ranges::find(relation.columns, column.name, &TargetColumn::name);
        if (found == relation.columns.end() || found->type_sql == column.type_sql) continue;
        if (history_writer::widens(found->type_sql, column.type_sql)) continue;
        // Made before the target had the extension: it stays text.
        if (column.of_extension && found->type_sql == "text") continue;
        add(problems,
            {
                .what = "column " + shown(column.name) + " of table " + name +
                        " has another type than the source's",
                .detail =
                    "It is " + found->type_sql + " there, and " + column.type_sql + " is due.",
                .hint =
                    "Alter it once \"run\" has stopped there. Whoever may read the view must be "
                    "granted that again.",
                .mending_sql = alter_column_sql(table, column, role),
            });
    }
    if (relation.source_table.empty()) return;  // Not ours yet: the key is what we make it.
    std::vector<std::string> key;
    for (const auto column : table.key) key.push_back(table.columns[column].name);
    if (key == relation.row_key) return;
    const auto text = [](const std::vector<std::string>& columns) {
        return columns.empty() ? "the whole row" : "(" + joined(columns) + ")";
    };
    add(problems,
        {
            .what = "row key of table " + shown(table.source_schema, table.source_table) +
                    " has changed",
            .detail = "Its history is kept by " + text(relation.row_key) + ", and the key is " +
                      text(key) + " now.",
            .hint = "Restore the key on the source, or move the history table aside and start its "
                    "history anew.",
        });
}

void judge_relation(
    const Facts& facts,
    const HistoryTable& table,
    const TargetRelation& relation,
    Problems& problems
) {
    const std::string name = shown(table.target_schema, table.target_table);
    const std::string quoted = pq::quote_qualified(table.target_schema, table.target_table);
    const std::string role = pq::quote_identifier(facts.target->role);
    const bool is_table = relation.kind == 'r' || relation.kind == 'p';
    if (!is_table || !has_own_columns(relation, table.names)) {
        add(problems,
            {
                .what = "relation " + name + " of the target is not a history table",
                .detail = "The history of " + shown(table.source_schema, table.source_table) +
                          " would go there, but it " +
                          (is_table ? "lacks the history's columns." : "is not a table."),
                .hint = "Rename it, or choose another target.schema or target.table_suffix.",
                .mending_sql =
                    std::string{is_table ? "ALTER TABLE " : "ALTER VIEW "} + quoted +
                    " RENAME TO " +
                    pq::quote_identifier(history_writer::shortened(table.target_table + "_old")) +
                    ";",
            });
        return;
    }
    const bool same_table = relation.source_schema == table.source_schema &&
                            relation.source_table == table.source_table;
    if (!relation.pipeline.empty() &&
        (relation.pipeline != facts.settings.pipeline || !same_table)) {
        add(problems,
            {
                .what = "history table " + name + " belongs to another source table",
                .detail = "Pipeline " + shown(relation.pipeline) + " keeps the history of " +
                          shown(relation.source_schema, relation.source_table) + " there.",
                .hint = "Two pipelines never write one history table: choose another "
                        "target.schema or target.table_suffix.",
            });
    } else {
        judge_history_shape(table, relation, facts.target->role, problems);
    }
    if (!relation.writable) {
        add(problems,
            {
                .what =
                    "role " + shown(facts.target->role) + " may not write history table " + name,
                .mending_sql = "GRANT SELECT, INSERT, UPDATE ON " + quoted + " TO " + role + ";",
            });
    } else if (!relation.owned) {
        add(problems,
            {
                .severity = Severity::warning,
                .what = "role " + shown(facts.target->role) + " does not own history table " + name,
                .detail = "It cannot be given the columns that the source table gains.",
                .mending_sql = "ALTER TABLE " + quoted + " OWNER TO " + role + ";",
            });
    }
}

void judge_interference(const TargetFacts& target, Problems& problems) {
    for (const auto& found : target.interference) {
        add(problems,
            {
                .severity = found.silent ? Severity::fatal : Severity::warning,
                .what = found.what,
                .detail = found.why,
                .mending_sql = found.mending_sql,
            });
    }
}

/// A history that is published would be kept a history of, and that history again.
void judge_feedback(const Facts& facts, Problems& problems) {
    if (!facts.source) return;
    const bool same = facts.source->server.system_identifier == facts.target->system_identifier &&
                      facts.source->server.database == facts.target->database;
    const bool all_tables = std::ranges::any_of(
        facts.source->publications, [](const auto& publication) { return publication.all_tables; }
    );
    if (!same || !all_tables) return;
    const std::string& schema = facts.settings.target.schema;
    for (const auto& table : planned_tables(facts)) {
        if (!history_writer::wanted(table.target_schema, table.target_table, facts.settings)) {
            continue;
        }
        add(problems,
            {
                .what = "history tables would be kept a history of themselves",
                .detail = "Source and target are one database, its publication is FOR ALL TABLES, "
                          "and the configuration selects " +
                          shown(table.target_schema, table.target_table) + ", too.",
                .hint = "Exclude the history: tables.exclude: [" + schema + ".*, pgchronicle.*].",
            });
        return;
    }
}

/// The checkpoint against the source, by the start-up guard's own rules.
void judge_checkpoint(const Facts& facts, Problems& problems) {
    StartupFacts startup;
    startup.pipeline = facts.settings.pipeline;
    startup.checkpoint = facts.target->checkpoint;
    startup.history_empty = facts.target->history_empty;
    if (facts.source) {
        startup.slot_name = facts.settings.source.slot;
        startup.publication_names = facts.settings.source.publications;
        startup.server = facts.source->server;
        startup.slot = facts.source->slot;
        startup.may_reconcile = facts.settings.source.on_slot_lost == config::OnSlotLost::reconcile;
        // It is streamed from a slot of its own, behind which the pipeline's is ahead.
        if (replay_under_way(facts) != nullptr) startup.slot.reset();
    } else if (startup.checkpoint) {
        return;
    }
    auto refusal = checkpoint_refusal(startup);
    if (!refusal) refusal = position_refusal(startup);
    if (refusal) {
        add(problems,
            {.what = refusal->what(), .detail = refusal->detail(), .hint = refusal->hint()});
        return;
    }
    // A slot that is gone or lost is judged with the source.
    if (!startup.may_reconcile || !startup.slot || startup.slot->lost()) return;
    auto ahead = slot_loss(startup);
    if (ahead.empty()) return;
    add(problems,
        {
            .severity = Severity::warning,
            .what = std::move(ahead),
            .detail = "\"run\" goes on from where the slot is. It compares every table with the "
                      "source, and records what lies between as a gap.",
        });
}

}  // namespace

void judge_target(const Facts& facts, Problems& problems) {
    const auto& target = *facts.target;
    judge_target_server(target, problems);
    judge_rights(target, problems);
    for (const auto& table : planned_tables(facts)) {
        const auto found = target.relations.find({table.target_schema, table.target_table});
        if (found != target.relations.end()) {
            judge_relation(facts, table, found->second, problems);
        }
    }
    judge_interference(target, problems);
    judge_change_functions(target, problems);
    judge_feedback(facts, problems);
    judge_checkpoint(facts, problems);
    if (!target.lock_holder.empty()) {
        add(problems,
            {
                .severity = Severity::note,
                .what = "pipeline " + shown(facts.settings.pipeline) + " is being written",
                .detail = "Its lock is held by " + target.lock_holder + ".",
            });
    }
}

}  // namespace pgchronicle::replicator
