#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pgchronicle::pgoutput {

/// Why a message cannot stand where it stands.
enum class SequenceErrc : std::uint8_t {
    begin_inside_transaction,   ///< B before the C of the transaction before it.
    outside_transaction,        ///< C, a row, or what goes with rows, without a B.
    misplaced_origin,           ///< O after the first change.
    commit_differs_from_begin,  ///< C names another commit position or time than B did.
    commit_ends_before_start,   ///< end_lsn <= commit_lsn.
    position_went_back,         ///< A commit at or before the end of the one before it.
    start_inside_commit,        ///< The start position is not the end of a commit record.
    unexpected_stream,          ///< A streamed transaction; streaming was not asked for.
    unexpected_prepare,         ///< A prepared transaction; two_phase was not asked for.
    unknown_relation,           ///< A row or TRUNCATE of a relation never described.
    column_count_mismatch,      ///< A tuple as wide as no row of its relation.
    value_not_sent,             ///< Unchanged TOAST in an old tuple.
    key_not_sent,               ///< The identity is unchanged TOAST and no old key was sent.
};

/// One message that cannot stand where it stands, in the form of PostgreSQL's messages.
struct SequenceError {
    SequenceErrc code{};
    std::string primary;  ///< What is wrong.
    std::string context;  ///< `"INSERT" for relation "s.t" in transaction 742, finished at 0/1A`
};

[[nodiscard]] std::string_view name_of(SequenceErrc code);

/// The primary text and, on a line of its own, the context.
[[nodiscard]] std::string to_string(const SequenceError& error);

}  // namespace pgchronicle::pgoutput
