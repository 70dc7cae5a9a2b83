#pragma once

#include "pq/connection.hpp"

#include <cstdint>

namespace pgchronicle::pq {

/// OID of the type of a result's column.
[[nodiscard]] std::uint32_t column_type(const Result& result, int column);

}  // namespace pgchronicle::pq
