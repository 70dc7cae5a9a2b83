#include "pgoutput/relation_cache.hpp"

#include <utility>

namespace pgchronicle::pgoutput {

std::shared_ptr<const Relation> RelationCache::put(Relation relation) {
    auto shared = std::make_shared<const Relation>(std::move(relation));
    relations_.insert_or_assign(shared->id, shared);
    return shared;
}

std::shared_ptr<const Relation> RelationCache::find(RelationId id) const {
    const auto found = relations_.find(id);
    return found == relations_.end() ? nullptr : found->second;
}

}  // namespace pgchronicle::pgoutput
