#pragma once

#include "history_writer/pg/table_state.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::verify {

/// Up to where gaps have left nothing behind that still differs.
struct WholeSince {
    pgoutput::Lsn rows{};     ///< All rows were copied, or compared, here.
    pgoutput::Lsn values{};   ///< They were compared here, and unknown values found.
    bool left_behind{false};  ///< It is in quarantine now, which explains nothing: it is to end.
};

/// What pgchronicle.gap says of one table, and which differences that accounts for.
class KnownGaps {
public:
    struct Gap {
        pgoutput::Lsn from;
        pgoutput::Lsn to;
        std::string reason;
        bool repaired{false};  ///< From `to` on, the history is equal again.
    };

    /// Gaps of this table and of all tables, repaired ones too.
    static KnownGaps read(
        pq::Connection& target,
        const std::string& pipeline,
        const history_writer::pg::TableState& table,
        const WholeSince& whole
    );
    explicit KnownGaps(std::vector<Gap> gaps, WholeSince whole = {})
        : gaps_{std::move(gaps)}, whole_{whole} {}

    /// Whether a difference at `lsn` is known: `version` is where the history's version begins, if
    /// there is one.
    [[nodiscard]] bool explain(pgoutput::Lsn lsn, const std::optional<pgoutput::Lsn>& version)
        const;

    /// The same where the version holds NULL in every column that differs: values that were not
    /// sent. A version inherits them from the one before.
    [[nodiscard]] bool explain_nulls(pgoutput::Lsn version) const;

    /// The end of the last range in which changes were missed; nothing while one lasts.
    [[nodiscard]] std::optional<pgoutput::Lsn> complete_from() const;

    /// Ranges in which changes were missed: what stands before and after does not fit together.
    [[nodiscard]] std::vector<Gap> missed() const;

private:
    std::vector<Gap> gaps_;
    WholeSince whole_;
};

}  // namespace pgchronicle::verify
