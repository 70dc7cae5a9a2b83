#pragma once

#include "config/settings.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/rewind.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// A copy of the history in another schema, with a pipeline of its own that has metadata of its own.

namespace pgchronicle::history_writer::pg {

/// A table of that name is in the way, or two tables would have it.
class ShadowTaken : public std::runtime_error {
public:
    ShadowTaken(const std::string& what, std::string hint)
        : std::runtime_error{what}, hint_{std::move(hint)} {}
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    std::string hint_;
};

/// Drops what was made for pipeline `shadow`: tables, with what depends on them, and metadata.
/// Within the caller's transaction.
void drop_shadow(pq::Connection& target, const std::string& shadow);

/// Keeps `tables`, which are all that `live` follows, in the shape that they have: a pipeline at
/// work waits before it alters one. First in a transaction that is REPEATABLE READ, which then sees
/// everything as of that moment. Throws CannotRewind.
void hold_still(
    pq::Connection& target,
    const config::Settings& live,
    const std::vector<KeptTable>& tables
);

/// Copies the history of `live` as of `from` to where `shadow` sends it, with the metadata that its
/// pipeline needs to stream on from there, and marks a replay as under way: until `until`.
/// Within the caller's transaction, in which they are held still. Throws CannotRewind and
/// ShadowTaken.
void build_shadow(
    pq::Connection& target,
    const config::Settings& live,
    const config::Settings& shadow,
    const ReplayPoint& from,
    pgoutput::Lsn until
);

}  // namespace pgchronicle::history_writer::pg
