#include "pq/column_type.hpp"

namespace pgchronicle::pq {

std::uint32_t column_type(const Result& result, int column) {
    return PQftype(result.native(), column);
}

}  // namespace pgchronicle::pq
