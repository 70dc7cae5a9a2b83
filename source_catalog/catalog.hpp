#pragma once

#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Reads the source's catalog over a plain (not replication) connection. Every function runs one or
// two queries, works on servers 14 to 18 and with nothing but what PUBLIC may read, and throws
// pq::Error.

namespace pgchronicle::source_catalog {

[[nodiscard]] Server read_server(pq::Connection& source);

/// The slot of that name, or nothing.
[[nodiscard]] std::optional<Slot> read_slot(pq::Connection& source, const std::string& name);

/// Those of `names` that exist, in the order of `names`.
[[nodiscard]] std::vector<Publication>
read_publications(pq::Connection& source, std::span<const std::string> names);

/// Every table that one of the publications publishes (partitions or roots, as published), ordered
/// by schema and name, with published columns, keys and types.
[[nodiscard]] std::vector<Table>
read_tables(pq::Connection& source, std::span<const std::string> publications);

/// One table by its OID, whether published or not; nothing when it is gone.
[[nodiscard]] std::optional<Table> read_table(
    pq::Connection& source,
    pgoutput::RelationId id,
    std::span<const std::string> publications
);

/// Name and number of each column that the table has now; none when it is gone.
[[nodiscard]] std::map<std::string, std::int16_t>
read_column_numbers(pq::Connection& source, pgoutput::RelationId id);

/// A column of this type, without a name: for what the stream describes and the catalog has lost.
/// Throws pq::Error (42704) when the type is gone too.
[[nodiscard]] Column
read_type(pq::Connection& source, pgoutput::TypeOid type, std::int32_t modifier);

}  // namespace pgchronicle::source_catalog
