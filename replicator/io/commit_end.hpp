#pragma once

#include "pgoutput/decode.hpp"
#include "pq/connection.hpp"

#include <optional>

namespace pgchronicle::replicator::io {

/// Where the commit of a transaction ends that the server has only begun to send. Its Commit
/// message says so, but comes last; the commit record stands in the WAL already, and a walsender
/// shows its first bytes to whoever may stream at all.
///
/// Blocks for a round trip or two, and a few seconds at worst. Nothing when the server refuses (no
/// walsender is free, say), is of a version that we do not know, or shows something else: then the
/// transaction has to be received whole.
[[nodiscard]] std::optional<pgoutput::Lsn>
read_commit_end(pq::ConnectOptions source, const pgoutput::Begin& begin);

}  // namespace pgchronicle::replicator::io
