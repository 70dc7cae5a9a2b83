#pragma once

#include "pgoutput/lsn.hpp"

#include <optional>
#include <string>

namespace pgchronicle::history_writer {

/// A slot that was made on the source beside a pipeline's own, as the metadata knows it.
struct KeptSlot {
    enum class Purpose { bookmark, replay };

    Purpose purpose{Purpose::bookmark};
    std::string pipeline;
    std::string name;  ///< The bookmark's; empty for a replay.
    std::string slot;
    /// Where it can be read from. Nothing: begun and not finished, so that nobody depends on it.
    std::optional<pgoutput::Lsn> position;

    friend bool operator==(const KeptSlot&, const KeptSlot&) = default;
};

/// The pipeline that streams a copy of `pipeline`'s history in `schema`.
[[nodiscard]] inline std::string
pipeline_of_copy(const std::string& pipeline, const std::string& schema) {
    return pipeline + "/" + schema;
}

/// In which schema pipeline `copy` keeps a copy of `pipeline`'s history; nothing when it does not.
[[nodiscard]] inline std::optional<std::string>
schema_of_copy(const std::string& pipeline, const std::string& copy) {
    const auto prefix = pipeline_of_copy(pipeline, "");
    if (!copy.starts_with(prefix)) return std::nullopt;
    return copy.substr(prefix.size());
}

}  // namespace pgchronicle::history_writer
