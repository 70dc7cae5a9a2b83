#pragma once

#include "pgoutput/ids.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pgchronicle::pgoutput {

/// What the source sends of the old row in updates and deletes.
/// Source: pg_class.relreplident.
enum class ReplicaIdentity : char { by_default = 'd', nothing = 'n', full = 'f', index = 'i' };

/// One published column, in the order of tuples.
struct Column {
    bool in_identity{false};  ///< Part of the replica identity; every column under FULL.
    std::string name;
    TypeOid type{};
    std::int32_t type_modifier{-1};

    friend bool operator==(const Column&, const Column&) = default;
};

/// A table as one Relation message describes it. Immutable once cached.
/// `schema_name` is never empty: the wire's "" is spelt pg_catalog here.
struct Relation {
    RelationId id{};
    std::string schema_name;
    std::string name;
    ReplicaIdentity replica_identity{ReplicaIdentity::by_default};
    std::vector<Column> columns;

    friend bool operator==(const Relation&, const Relation&) = default;
};

}  // namespace pgchronicle::pgoutput
