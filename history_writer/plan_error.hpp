#pragma once

#include <cstdint>
#include <string>

namespace pgchronicle::history_writer {

/// Why a change cannot become history: the stream or the configuration is wrong.
enum class PlanErrc : std::uint8_t {
    unchanged_toast_without_row,  ///< A key column, or a row without a key, holds unchanged TOAST.
    key_not_sent,                 ///< An old tuple without the row key: another identity's.
    key_already_open,             ///< INSERT of a key that is open in this batch.
    unknown_key,                  ///< UPDATE or DELETE of a key that this batch has ended.
    missing_old_tuple,            ///< A table without a key needs REPLICA IDENTITY FULL.
    form_mismatch,                ///< A value came in the other form than the stream's.
};

struct PlanError {
    PlanErrc code{};
    std::string table;  ///< schema.table on the source.
    std::uint64_t change_seq{0};
};

[[nodiscard]] std::string to_string(const PlanError& error);

}  // namespace pgchronicle::history_writer
