#include "verify/row_cursor.hpp"

#include <cstddef>
#include <utility>

namespace pgchronicle::verify {
namespace {

/// Rows a round trip: a few hundred bytes each.
constexpr int part_rows = 2000;

}  // namespace

RowCursor::RowCursor(
    pq::Connection& connection,
    const std::string& sql,
    std::vector<std::string> key
)
    : connection_{connection}, key_{std::move(key)} {
    connection_.exec("DECLARE verified NO SCROLL CURSOR FOR " + sql);
    next();
}

RowCursor::~RowCursor() {
    try {
        if (connection_.ok()) connection_.exec("CLOSE verified");
    } catch (const pq::Error&) {
        return;  // The transaction has failed, and the cursor with it.
    }
}

void RowCursor::next() {
    row_.reset();
    if (at_ == part_.rows() && !last_) {
        part_ = connection_.exec("FETCH " + std::to_string(part_rows) + " FROM verified");
        at_ = 0;
        last_ = part_.rows() < part_rows;
    }
    if (at_ == part_.rows()) return;
    constexpr int first_key = 4;
    KeyedRows& row = row_.emplace();
    row.hash = part_.int64(at_, 0);
    row.count = static_cast<std::uint64_t>(part_.int64(at_, 1));
    row.digest = part_.str(at_, 2);
    if (!part_.null(at_, 3)) row.version = pgoutput::parse_lsn(part_.text(at_, 3));
    for (std::size_t i = 0; i < key_.size(); ++i) {
        const int column = first_key + static_cast<int>(i);
        row.key.push_back(
            {key_[i],
             part_.null(at_, column) ? std::nullopt : std::optional{part_.str(at_, column)}}
        );
    }
    ++at_;
}

}  // namespace pgchronicle::verify
