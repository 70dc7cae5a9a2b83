#pragma once

#include "pq/connection.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::reading {

struct Column {
    std::string name;
    std::string type;  ///< As format_type writes it; empty where only the OID is known.
    std::uint32_t type_oid{0};

    friend bool operator==(const Column&, const Column&) = default;
};

/// A value as text, under the settings that every connection pins; nothing: NULL.
using Value = std::optional<std::string>;

/// What a query gave. Each row has a value for each column.
struct Rows {
    std::vector<Column> columns;
    std::vector<std::vector<Value>> rows;

    friend bool operator==(const Rows&, const Rows&) = default;
};

/// All of a result that is in text form. Types are known by their OID.
[[nodiscard]] Rows rows_of(const pq::Result& result);

/// One value of it.
[[nodiscard]] Value value_of(const pq::Result& result, int row, int column);

}  // namespace pgchronicle::reading
