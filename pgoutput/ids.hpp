#pragma once

#include <cstdint>

namespace pgchronicle::pgoutput {

/// OID of a table on the source, as Relation messages name it.
enum class RelationId : std::uint32_t {};
/// OID of a type on the source.
enum class TypeOid : std::uint32_t {};
/// Transaction id on the source, 32 bits as on the wire.
enum class Xid : std::uint32_t {};

/// The first OID that PostgreSQL never gives to a built-in object; types below mean the same
/// on every server of a version. Source: access/transam.h, FirstNormalObjectId.
inline constexpr std::uint32_t first_normal_oid = 16384;

}  // namespace pgchronicle::pgoutput
