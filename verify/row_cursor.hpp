#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"
#include "verify/report.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::verify {

/// All rows of one side that have one key.
struct KeyedRows {
    std::int64_t hash{0};
    std::uint64_t count{0};
    std::string digest;
    std::optional<pgoutput::Lsn> version;  ///< Where the newest of them begins.
    Fields key;
};

/// Reads what digest_sql.hpp's rows_sql gives, in its order, a part at a time. The connection must
/// be in a transaction, and may be used for other statements meanwhile.
class RowCursor {
public:
    /// `key`: names of the key's columns.
    RowCursor(pq::Connection& connection, const std::string& sql, std::vector<std::string> key);
    ~RowCursor();
    RowCursor(const RowCursor&) = delete;
    RowCursor& operator=(const RowCursor&) = delete;

    /// The row in hand; nothing behind the last.
    [[nodiscard]] const std::optional<KeyedRows>& row() const { return row_; }
    void next();

private:
    pq::Connection& connection_;
    std::vector<std::string> key_;
    pq::Result part_;
    int at_{0};
    bool last_{false};
    std::optional<KeyedRows> row_;
};

}  // namespace pgchronicle::verify
