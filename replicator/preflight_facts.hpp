#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/history_table.hpp"
#include "history_writer/kept_slot.hpp"
#include "source_catalog/model.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What preflight() judges, as plain values. Gathered by commands/gather_facts.hpp.

namespace pgchronicle::replicator {

/// A connection or a query that failed, in the server's own words.
struct Failure {
    std::string sqlstate{};
    std::string primary{};
    std::string detail{};
    std::string hint{};
};

/// To whom a connection was or would have been made.
struct Peer {
    std::string host{};  ///< Empty: libpq's default.
    std::string port{};
    std::string user{};
    std::string database{};
    bool network{false};    ///< It was made, and not within one host.
    std::string sslmode{};  ///< Of the connection that was made.
};

/// Whether the changes that wait in the slot can be decoded.
enum class SlotProbe {
    not_tried,  ///< No slot, or it is in use, or its owner may not read it.
    readable,
    publication_unknown,  ///< The first of them were made before a publication existed.
    undecided,            ///< Nothing was found wrong within the time that was given.
};

/// A table or partition that is not published, though it could be thought to be.
struct UnpublishedTable {
    std::string schema_name;
    std::string name;
    bool unlogged{false};
};

/// A partition whose rows are streamed as its root's, but with another replica identity.
struct OddPartition {
    std::string root_schema;
    std::string root_name;
    std::string schema_name;
    std::string name;
    pgoutput::ReplicaIdentity replica_identity{};
};

/// Names of a table's columns: those that are generated, say.
struct TableColumns {
    std::string schema_name;
    std::string name;
    std::vector<std::string> columns;
};

/// How many of something the server allows, and how many are taken.
struct Capacity {
    std::int64_t limit{0};
    std::int64_t used{0};
};

struct SourceFacts {
    source_catalog::Server server;
    std::optional<source_catalog::Slot> slot;
    /// application_name of the slot's user, while it is active and may be seen.
    std::string slot_user;
    /// The nearest existing name, for a slot or publications that do not exist.
    std::optional<std::string> similar_slot;
    std::map<std::string, std::string> similar_publications;
    std::vector<source_catalog::Publication> publications;
    std::vector<source_catalog::Table> tables;  ///< Published ones.
    std::vector<UnpublishedTable> unpublished;
    std::vector<OddPartition> odd_partitions;
    std::vector<TableColumns> generated;  ///< Generated columns that are not streamed.
    /// Published tables whose row-level security hides rows from the role.
    std::vector<history_writer::TargetName> row_security;
    Capacity replication_slots;
    Capacity wal_senders;
    std::int64_t slot_keep_mib{-1};     ///< max_slot_wal_keep_size; -1: no limit.
    std::int64_t slot_idle_limit_s{0};  ///< idle_replication_slot_timeout (18 and later).
    SlotProbe probe{SlotProbe::not_tried};
    /// Slots that have the names that we give to those of bookmarks and replays.
    std::vector<source_catalog::Slot> made_slots;
    /// Why a replication connection could not be made, when a plain one could.
    std::optional<Failure> replication_failure;
};

/// A schema of the target, as the connected role sees it.
struct SchemaRights {
    bool exists{false};
    bool usage{false};
    bool create{false};
};

struct TargetColumn {
    std::string name;
    std::string type_sql;  ///< format_type(), with modifier.
};

/// A relation of the target that has the name of a history table.
struct TargetRelation {
    char kind{'r'};  ///< pg_class.relkind
    std::vector<TargetColumn> columns;
    std::string pipeline{};  ///< Whose history it is, by pgchronicle.table_state.
    std::string source_schema{};
    std::string source_table{};
    /// By which columns its rows are told apart, by pgchronicle.table_state, too.
    std::vector<std::string> row_key{};
    bool writable{false};  ///< SELECT, INSERT and UPDATE for the connected role.
    bool owned{false};     ///< Needed for new columns, indexes and views.
};

/// What somebody else has put on a table that we write: a trigger, a rule, a constraint.
struct Interference {
    history_writer::TargetName table;
    std::string what;
    std::string why;
    std::string mending_sql;
    bool silent{true};  ///< It can change or lose versions without an error.
};

/// A function that is to be called for the new versions of a table.
struct ChangeFunction {
    std::string table;   ///< schema.table of the source.
    std::string name;    ///< schema.function, as it is configured.
    bool exists{false};  ///< With one argument of type jsonb.
    bool returns_rows{false};
    bool executable{false};             ///< By the connected role, its schema included.
    std::vector<std::string> others{};  ///< Of that name, with other arguments.
};

struct TargetFacts {
    int version{0};
    history_writer::TargetTypes types{};
    std::string system_identifier;
    std::string database;
    std::string role;
    bool in_recovery{false};
    bool read_only{false};  ///< default_transaction_read_only
    bool create_in_database{false};
    bool temporary_tables{false};                 ///< TEMPORARY on the database.
    std::map<std::string, SchemaRights> schemas;  ///< The history's and "pgchronicle".
    std::map<history_writer::TargetName, TargetRelation> relations;
    std::vector<Interference> interference;
    std::vector<ChangeFunction> change_functions{};
    std::optional<history_writer::Checkpoint> checkpoint;
    bool history_empty{true};  ///< Meant for when there is no checkpoint.
    std::string lock_holder;   ///< Who holds the pipeline's lock; empty: nobody.
    /// Slots beside the pipelines' own, of all pipelines of the target.
    std::vector<history_writer::KeptSlot> kept_slots;
};

/// Everything preflight() looks at. Either side is nothing where `failure` says why.
struct Facts {
    config::Settings settings;
    Peer source_peer;
    Peer target_peer;
    std::optional<SourceFacts> source;
    std::optional<Failure> source_failure;
    std::optional<TargetFacts> target;
    std::optional<Failure> target_failure;
    std::string spool_error;  ///< Why spool_dir cannot be written to; empty when it can.
};

}  // namespace pgchronicle::replicator
