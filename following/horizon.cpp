#include "following/horizon.hpp"

#include "following/changes_sql.hpp"
#include "reading/checkpoint.hpp"
#include "reading/error.hpp"

#include <fmt/format.h>

namespace pgchronicle::following {

using pgoutput::Lsn;

namespace {

[[noreturn]] void refuse(const std::string& pipeline) {
    throw reading::Error{
        {.kind = reading::ErrorKind::not_ready,
         .primary = fmt::format("pipeline \"{}\" has no history yet", pipeline),
         .hint = "\"pgchronicle run\" begins it."}};
}

}  // namespace

Lsn Horizon::poll(pq::Connection& target) {
    if (durable_ == Lsn{} && !reading::has_relation(target, "pgchronicle.checkpoint")) {
        refuse(pipeline_);
    }
    const auto row = target.exec(checkpoint_sql(), {pipeline_});
    if (row.rows() == 0) refuse(pipeline_);
    const auto lsn = [&](int column) {
        return pgoutput::parse_lsn(row.text(0, column)).value_or(Lsn{});
    };
    const auto position = lsn(0);
    // A standby receives what is on the disk of its primary, and nothing else.
    if (row.boolean(0, 1)) return durable_ = position;
    if (position <= durable_) {
        waiting_.reset();
        return durable_ = position;
    }
    // After a crash of the target its WAL may be shorter, and grow past that end with other things.
    const bool broken = backend_ != target.backend_pid();
    backend_ = target.backend_pid();
    if (waiting_ && (broken || position < waiting_->position)) waiting_.reset();
    if (!waiting_) waiting_ = {position, lsn(2)};
    if (lsn(3) < waiting_->wal_end && may_flush_) {
        flush(target);
        // What was committed before that statement was is on disk with it.
        if (may_flush_) waiting_ = {position, lsn(3)};
    }
    if (lsn(3) >= waiting_->wal_end) {
        durable_ = waiting_->position;
        waiting_.reset();
    }
    return durable_;
}

void Horizon::flush(pq::Connection& target) {
    try {
        target.exec(
            "BEGIN; SET LOCAL synchronous_commit = local;"
            " SELECT pg_logical_emit_message(true, 'pgchronicle', 'followed'); COMMIT"
        );
    } catch (const pq::Error& error) {
        if (error.connection_lost()) throw;
        target.exec("ROLLBACK");
        // Not allowed to this role: the WAL writer will come, 0.6 s later at most by default.
        may_flush_ = false;
    }
}

}  // namespace pgchronicle::following
