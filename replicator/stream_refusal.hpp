#pragma once

#include "replicator/stream_error.hpp"
#include "source_catalog/model.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::replicator {

/// What the source said when it refused to stream or broke off, and what its catalog says now.
struct RefusalFacts {
    std::string sqlstate;
    std::string primary;
    std::string slot_name;
    std::optional<source_catalog::Slot> slot;
    std::vector<std::string> publication_names;
    std::vector<source_catalog::Publication> publications;  ///< Those that exist.
};

/// What an error of the stream that does not pass by itself means; nothing where its own text says
/// it best. The SQLSTATE alone does not tell: 55000 is a lost slot, and also one that is not ready.
/// Pure. To be asked only for errors that came by the replication connection.
[[nodiscard]] std::optional<NeedsOperator> explain_refusal(const RefusalFacts& facts);

}  // namespace pgchronicle::replicator
