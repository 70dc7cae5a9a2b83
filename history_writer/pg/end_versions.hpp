#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <cstdint>

namespace pgchronicle::history_writer::pg {

/// Ends every open version, with a tombstone each. Within a transaction.
void end_open_versions(
    pq::Connection& target,
    const HistoryTable& table,
    Operation operation,
    const SourceTransaction& at,
    std::uint64_t change_seq
);

/// The same of all columns that the table has: what they were versions of is gone. One transaction,
/// or part of the one that is open.
void end_versions(
    pq::Connection& target,
    const TargetName& table,
    const config::HistoryColumnNames& names,
    Operation operation,
    pgoutput::Lsn lsn,
    pgoutput::PgTimestamp time
);

}  // namespace pgchronicle::history_writer::pg
