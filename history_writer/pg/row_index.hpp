#pragma once

#include "history_writer/history_table.hpp"
#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// Builds the index of a table without a key anew where it hashes other columns than the statements
/// do, because the source's table has gained or lost some: it would not be used any more, and every
/// close would read the whole table. A table that has no index yet gets none. For the time of the
/// build nobody writes the table.
void renew_row_index(pq::Connection& target, const HistoryTable& table);

}  // namespace pgchronicle::history_writer::pg
