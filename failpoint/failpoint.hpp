#pragma once

namespace pgchronicle {

/// A named place where a test build can be killed. In other builds `failpoint` is nothing.
enum class Failpoint : unsigned char {
    after_connect,
    mid_row_frame,
    after_begin,
    mid_transaction,
    before_target_begin,
    between_close_and_open,
    after_rows_before_checkpoint,
    after_checkpoint_before_commit,
    commit_sent_no_reply,
    after_commit_before_ack,
    ack_sent_not_flushed,
    during_reconnect,
    replay_without_slot,
    lost_slot_dropped,
    lost_slot_made,
    reconciliation_begun,
    table_copied,
    quarantine_uncommitted,
    import_copied,
    import_written,
    import_committed,
    export_written,
    export_published,
    count
};

#ifdef PGCHRONICLE_FAILPOINTS
/// Counts a hit of `point`. The environment variable PGCHRONICLE_FAILPOINT=name:N kills the
/// process (SIGKILL) at the N-th hit, PGCHRONICLE_FAILPOINT=name:N:pause stops it (SIGSTOP);
/// before that the name is appended to the file PGCHRONICLE_FAILPOINT_LOG. Thread: any.
void failpoint(Failpoint point) noexcept;
#else
inline constexpr void failpoint(Failpoint /*point*/) noexcept {}
#endif

}  // namespace pgchronicle
