#pragma once

#include "pgoutput/ids.hpp"
#include "pgoutput/lsn.hpp"
#include "pgoutput/relation.hpp"
#include "pgoutput/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What the source's catalog says now, as plain values. Read by catalog.hpp; no I/O here, so the
// pure folders may use it.

namespace pgchronicle::source_catalog {

/// One published column.
struct Column {
    std::string name;
    std::int16_t number{0};  ///< pg_attribute.attnum: survives a rename.
    pgoutput::TypeOid type{};
    std::int32_t type_modifier{-1};
    std::string type_schema;  ///< Schema of the type.
    std::string type_name;    ///< pg_type.typname, unqualified.
    std::string type_sql;     ///< format_type(): with modifier, schema-qualified unless built in.
    char type_kind{'b'};      ///< pg_type.typtype: b, c, d, e, r, m, p.
    std::optional<std::string>
        domain_base_sql;         ///< format_type() of a domain's innermost base type.
    std::uint32_t base_type{0};  ///< OID of that base type; the type's own for all others.
    bool has_binary_send{true};  ///< The type has a send function.
    bool array{false};
    std::uint32_t element_type{0};  ///< OID of an array's element type; 0 otherwise.
    char element_kind{'\0'};        ///< typtype of the element type, for arrays.
    bool deterministic_collation{true};
    std::string collation_sql;  ///< Its collation, qualified and quoted; empty where it has none.
    /// Locale and rules of a collation that is not deterministic.
    std::string collation_name;
    std::string collation_locale;
    std::string collation_rules;
    std::string extension;  ///< The one that the type belongs to; empty for all others.
    bool generated{false};
    std::vector<std::string> enum_labels;         ///< In sort order, for an enum.
    std::optional<std::string> constant_default;  ///< attmissingval as text: the fast default.
    /// Has a default that is not one: adding the column may have written every row anew.
    bool volatile_default{false};
};

/// One published table.
struct Table {
    pgoutput::RelationId id{};
    std::string schema_name;
    std::string name;
    char kind{'r'};  ///< pg_class.relkind: r or p.
    pgoutput::ReplicaIdentity replica_identity{pgoutput::ReplicaIdentity::by_default};
    std::vector<Column> columns;              ///< Published ones, by attnum.
    std::int16_t last_number{0};              ///< Highest attnum ever given, dropped ones included.
    std::vector<std::string> primary_key;     ///< In key order; empty without one.
    std::vector<std::string> identity_index;  ///< Columns of the REPLICA IDENTITY USING INDEX.
    std::optional<std::string> row_filter;
    std::uint64_t pages{0};           ///< Heap size in blocks, now.
    std::int64_t estimated_rows{-1};  ///< pg_class.reltuples; -1 when never analysed.
    bool can_select{false};           ///< For the connected role.
    bool unlogged{false};
    /// How it comes to be published: entries of the publications, filters and column lists, hashed.
    /// Differs once the table has left a publication, or has been put into one again.
    std::string membership;
    bool through_ancestor{false};  ///< A partition whose changes are sent as its ancestor's.
    std::uint32_t file{0};  ///< relfilenode: another one after each rewrite; 0 without storage.
};

/// schema.table, unquoted, as the configuration writes it.
[[nodiscard]] inline std::string qualified(const Table& table) {
    return table.schema_name + "." + table.name;
}

struct Publication {
    std::string name;
    bool all_tables{false};
    bool inserts{true};
    bool updates{true};
    bool deletes{true};
    bool truncates{true};
    bool via_root{false};
};

struct Slot {
    std::string name;
    std::string plugin;    ///< Empty for a physical slot.
    std::string database;  ///< Empty for a physical slot.
    bool active{false};
    int active_pid{0};
    pgoutput::Lsn restart_lsn;  ///< 0/0 when unknown.
    pgoutput::Lsn confirmed_flush_lsn;
    std::string wal_status;  ///< reserved, extended, unreserved, lost; empty if unknown.
    std::optional<std::int64_t> safe_wal_bytes;
    std::string invalidation_reason;  ///< Empty while valid (17 and later; 16: "conflict").
    bool two_phase{false};
    bool temporary{false};

    /// The source has removed what it would need: it can never be read again.
    [[nodiscard]] bool lost() const { return wal_status == "lost" || !invalidation_reason.empty(); }
};

/// What the server and the connected role are.
struct Server {
    int version{0};  ///< 150018
    std::string system_identifier;
    std::uint32_t timeline{0};
    std::string database;
    std::string wal_level;
    bool in_recovery{false};
    bool track_commit_timestamp{false};
    pgoutput::Lsn flush_lsn;  ///< pg_current_wal_flush_lsn(), or the replay position in recovery.
    std::string role;
    bool superuser{false};
    bool replication{false};  ///< The role itself has REPLICATION.
    std::vector<std::string>
        replication_through;  ///< Roles granted to it that have REPLICATION: not inherited.
    std::vector<std::string>
        replication_members;  ///< Roles with REPLICATION that it was granted to.
    std::int64_t wal_sender_timeout_ms{60'000};
};

}  // namespace pgchronicle::source_catalog
