#include "following/cursor.hpp"

#include "history_writer/pg/metadata.hpp"
#include "reading/checkpoint.hpp"
#include "reading/error.hpp"

#include <utility>

namespace pgchronicle::following {

using history_writer::pg::pipeline_lock_holder;
using history_writer::pg::try_lock_pipeline;

namespace {

/// Distinct from the name of every pipeline's own lock.
std::string lock_name(const std::string& pipeline, const std::string& name) {
    return pipeline + "/cursor/" + name;
}

}  // namespace

Cursor::Cursor(std::string pipeline, std::string name)
    : pipeline_{std::move(pipeline)}, name_{std::move(name)} {}

bool Cursor::try_lock(pq::Connection& target) const {
    return try_lock_pipeline(target, lock_name(pipeline_, name_));
}

std::string Cursor::holder(pq::Connection& target) const {
    return pipeline_lock_holder(target, lock_name(pipeline_, name_), "");
}

std::optional<Position> Cursor::read(pq::Connection& target) const {
    if (!reading::has_relation(target, "pgchronicle.cursor")) {
        throw reading::Error{
            {.kind = reading::ErrorKind::not_ready,
             .primary = "the target keeps no cursors yet",
             .detail = "It has no table \"pgchronicle.cursor\".",
             .hint = "\"pgchronicle run\" of this version makes it at its start."}};
    }
    const auto row = target.exec(
        "SELECT position FROM pgchronicle.cursor WHERE pipeline = $1 AND name = $2",
        {pipeline_, name_}
    );
    if (row.rows() == 0) return std::nullopt;
    const auto position = parse_position(row.text(0, 0));
    if (!position) {
        throw reading::Error{
            {.primary = "cursor \"" + name_ + "\" has no position",
             .detail = "Its row in pgchronicle.cursor says \"" + row.str(0, 0) + "\".",
             .hint = "Write a position such as 16/B374D848/12 there, or delete the row."}};
    }
    return position;
}

void Cursor::store(pq::Connection& target, const Position& position) const {
    target.exec(
        "INSERT INTO pgchronicle.cursor AS c (pipeline, name, position) VALUES ($1, $2, $3)"
        " ON CONFLICT (pipeline, name) DO UPDATE"
        " SET position = excluded.position, updated_at = clock_timestamp()",
        {pipeline_, name_, to_string(position)}
    );
}

}  // namespace pgchronicle::following
