#include "pq/error.hpp"

#include "pq/sqlstate.hpp"

#include <utility>

namespace pgchronicle::pq {

Error::Error(Fields fields) : std::runtime_error{fields.primary}, fields_{std::move(fields)} {}

Disposition Error::disposition() const {
    return disposition_of(fields_.sqlstate, fields_.connection_lost);
}

}  // namespace pgchronicle::pq
