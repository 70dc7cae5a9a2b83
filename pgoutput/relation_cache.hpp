#pragma once

#include "pgoutput/relation.hpp"

#include <memory>
#include <unordered_map>

namespace pgchronicle::pgoutput {

/// What each relation id means now: replaced by every Relation message.
class RelationCache {
public:
    /// Takes a relation; returns the shared copy that stays valid for as long as it is held.
    std::shared_ptr<const Relation> put(Relation relation);

    /// The relation in force, or null when none was sent: an error of the caller's to report.
    [[nodiscard]] std::shared_ptr<const Relation> find(RelationId id) const;

    void clear() { relations_.clear(); }

private:
    struct IdHash {
        std::size_t operator()(RelationId id) const { return static_cast<std::size_t>(id); }
    };
    std::unordered_map<RelationId, std::shared_ptr<const Relation>, IdHash> relations_;
};

}  // namespace pgchronicle::pgoutput
