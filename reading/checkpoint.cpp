#include "reading/checkpoint.hpp"

#include "reading/rows.hpp"

namespace pgchronicle::reading {

bool has_relation(pq::Connection& target, const std::string& qualified_name) {
    return target.exec("SELECT to_regclass($1) IS NOT NULL", {qualified_name}).boolean(0, 0);
}

std::optional<Checkpoint> read_checkpoint(pq::Connection& target, std::string_view pipeline) {
    if (!has_relation(target, "pgchronicle.checkpoint")) return std::nullopt;
    const auto row = target.exec(
        "SELECT position, last_commit_end, last_commit_time, updated_at"
        " FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {std::string{pipeline}}
    );
    if (row.rows() == 0) return std::nullopt;
    return Checkpoint{
        .position = pgoutput::parse_lsn(row.text(0, 0)).value_or(pgoutput::Lsn{}),
        .last_commit_end = pgoutput::parse_lsn(row.text(0, 1)).value_or(pgoutput::Lsn{}),
        .last_commit_time = value_of(row, 0, 2),
        .updated_at = row.str(0, 3),
    };
}

}  // namespace pgchronicle::reading
