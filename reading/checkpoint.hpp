#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::reading {

/// Up to where the history of a pipeline is complete. Times are text: 2026-11-21 11:55:29.5+00.
struct Checkpoint {
    pgoutput::Lsn position;         ///< Nothing of ours is missing up to here.
    pgoutput::Lsn last_commit_end;  ///< End of the last source transaction that is stored.
    std::optional<std::string> last_commit_time;  ///< Recorded times never go below it.
    std::string updated_at;                       ///< When it was last written.

    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// Nothing where the pipeline has not begun, or the target has no metadata. Throws pq::Error.
[[nodiscard]] std::optional<Checkpoint>
read_checkpoint(pq::Connection& target, std::string_view pipeline);

/// Whether the target has the relation, which an older version may not have made.
[[nodiscard]] bool has_relation(pq::Connection& target, const std::string& qualified_name);

}  // namespace pgchronicle::reading
