#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// Calls the functions of `tables.overrides.<table>.on_change` for new versions, within the
/// transaction that writes them: f(change jsonb), in the order of changes, tables merged.
///
/// What a copy, a comparison or a replay writes is not told: those are no new changes.
/// Source: docs/following.md, "on_change".
class OnChange {
public:
    using Table = std::shared_ptr<const HistoryTable>;

    OnChange(pq::Connection& target, std::string pipeline)
        : target_{target}, pipeline_{std::move(pipeline)} {}

    /// Makes the index by which the new versions of a table are found, if it has a function.
    void prepare(const Table& table);

    /// Calls them for the versions of `written` with LSNs after `from`, up to `upto`. Throws
    /// TableFailure when a function refuses a change, pq::Error for what may pass.
    void call(const std::set<Table>& written, pgoutput::Lsn from, pgoutput::Lsn upto);

private:
    [[nodiscard]] pgoutput::Lsn replayed_until();

    pq::Connection& target_;
    std::string pipeline_;
    std::set<TargetName> indexed_;
    std::optional<pgoutput::Lsn> replayed_until_;
};

}  // namespace pgchronicle::history_writer::pg
