#include "history_writer/pg/quarantine_store.hpp"
#include "replicator/io/service.hpp"
#include "replicator/stream_error.hpp"

#include <utility>

// A table to which something cannot be applied, and which is not to stop the others. What failed
// was rolled back with everything that stood beside it in the target's transaction; it is streamed
// again from the checkpoint. The second time each transaction is written by itself, so that those
// before the one that fails are stored. When it fails again, the table is put into quarantine from
// the checkpoint on, in a transaction of its own, and the stream goes on without it. A kill in
// between loses nothing: nothing is skipped before that is stored, and until then it fails again.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;
using history_writer::TableFailure;

SessionEnd Service::run_session(Session& session) {
    try {
        return session.run(life_.stop_token());
    } catch (const TableFailure&) {
        const auto end = session.taken_in();
        // Where nothing had come since the checkpoint, it was no transaction that failed.
        failed_singly_ = session.singly() || end <= session.stored();
        if (!failed_singly_) singly_until_ = end;
        throw;
    }
}

std::optional<ExitCode> Service::after_failure(const TableFailure& failure) {
    const auto& table = failure.table();
    const auto wanted =
        history_writer::on_error(table.source_schema, table.source_table, settings_);
    // A copy beside the history is there to be compared: it has everything, or it is of no use. And
    // what a replay leaves out would be lost: it was there, and an earlier bookmark may help.
    const bool at_once = !options_.copies_tables || replay_;
    // What came before it is stored first: an operator who alters the history's column meets no row
    // of the former type any more.
    if (at_once || (wanted == config::OnError::stop && failed_singly_)) {
        report(failure.what(), failure.detail(), failure.hint());
        return ExitCode::needs_operator;
    }
    if (life_.stop_token().stop_requested()) return ExitCode::done;
    if (failed_singly_) {
        failed_.emplace(failure);
        return std::nullopt;
    }
    log_.warn(
        "table_failed",
        {{"table", failure.name()},
         {"message", failure.what()},
         {"detail", failure.detail()},
         {"one_by_one_until", to_string(singly_until_)}}
    );
    return std::nullopt;
}

void Service::leave_behind(pq::Connection& target) {
    if (!failed_) return;
    const auto failure = *std::exchange(failed_, std::nullopt);
    const auto& table = failure.table();
    bool left_before = false;
    for (const auto& one : pg::read_quarantines(target, settings_.pipeline)) {
        left_before = left_before || (one.relation == table.relation && !one.released);
    }
    // Where all of the schema fails, or a table that nothing is applied to, it is not the table.
    if (left_before || !pg::schema_is_usable(target, table)) {
        throw NeedsOperator{failure.what(), failure.detail(), failure.hint()};
    }
    const auto position = pg::quarantine(target, settings_.pipeline, failure);
    log_.error(
        "table_quarantined",
        {{"table", failure.name()},
         {"since", to_string(position)},
         {"message", failure.what()},
         {"detail", failure.detail()},
         {"hint", failure.hint()}}
    );
    life_.notify_status("table " + failure.name() + " is in quarantine");
}

}  // namespace pgchronicle::replicator::io
