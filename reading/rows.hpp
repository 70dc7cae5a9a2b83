#pragma once

#include "pq/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

/// What an answer may hold; it is refused before more of it is read.
struct Limit {
    std::uint64_t bytes_max{0};  ///< 0: no limit.
    std::string hint{};          ///< How the reader can ask for less.
};

/// Counts what is held of an answer, names included: in most forms each row repeats them.
class Held {
public:
    /// `limit` outlives it.
    explicit Held(const Limit& limit) : limit_{limit} {}

    /// Throws Error too_large.
    void add(const pq::Result& result);

private:
    const Limit& limit_;
    std::uint64_t bytes_{0};
};

/// What a statement gives, read row by row. Throws Error too_large; pq::Error.
[[nodiscard]] Rows read_rows(
    pq::Connection& target,
    const std::string& sql,
    std::span<const pq::Param> params,
    const Limit& limit
);

/// One value of a result that is in text form.
[[nodiscard]] Value value_of(const pq::Result& result, int row, int column);

}  // namespace pgchronicle::reading
