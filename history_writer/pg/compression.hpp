#pragma once

#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// Lets this session compress with LZ4 what its server would compress with pglz, at many times the
/// cost, or write out as it is: values too large for a row, and whole pages in the WAL (what a
/// random update touches first after a checkpoint). What the server was built without, what the
/// role may not set, and what somebody set otherwise stays as it is.
void prefer_lz4(pq::Connection& target);

}  // namespace pgchronicle::history_writer::pg
