#include "verify/known_gaps.hpp"

#include "history_writer/pg/reconciliation.hpp"

#include <algorithm>
#include <iterator>

namespace pgchronicle::verify {
namespace {

constexpr const char* value_unknown = "value_unknown";
constexpr const char* quarantined = "quarantined";
using history_writer::pg::slot_lost_reason;

/// Gaps that last until a comparison ends them: it is still to come.
bool lasts(const KnownGaps::Gap& gap) {
    return !gap.repaired && (gap.reason == "not_published" || gap.reason == quarantined ||
                             gap.reason == slot_lost_reason);
}

}  // namespace

KnownGaps KnownGaps::read(
    pq::Connection& target,
    const std::string& pipeline,
    const history_writer::pg::TableState& table,
    const WholeSince& whole
) {
    const auto rows = target.exec(
        "SELECT from_lsn, to_lsn, reason, repaired_at IS NOT NULL FROM pgchronicle.gap"
        " WHERE pipeline = $1"
        " AND (source_table IS NULL OR (source_schema = $2 AND source_table = $3))",
        {pipeline, table.source_schema, table.source_table}
    );
    // A gap of all tables is not repaired; but behind their comparison they are equal again.
    const bool compared = table.compare_as == history_writer::pg::CompareAs::nothing;
    std::vector<Gap> gaps;
    for (int i = 0; i < rows.rows(); ++i) {
        gaps.push_back(
            {pgoutput::parse_lsn(rows.text(i, 0)).value_or(pgoutput::Lsn{}),
             pgoutput::parse_lsn(rows.text(i, 1)).value_or(pgoutput::Lsn{}),
             rows.str(i, 2),
             rows.boolean(i, 3) || (compared && rows.text(i, 2) == slot_lost_reason)}
        );
    }
    return KnownGaps{std::move(gaps), whole};
}

bool KnownGaps::explain(pgoutput::Lsn lsn, const std::optional<pgoutput::Lsn>& version) const {
    return std::ranges::any_of(gaps_, [&](const Gap& gap) {
        if (gap.reason == value_unknown || lsn < gap.from) return false;
        // What repaired it made the history equal again from its end on.
        if (gap.repaired) return lsn < gap.to;
        if (whole_.left_behind && gap.reason == quarantined) return false;
        if (lasts(gap)) return true;
        // Changes that were passed over. What was written after them is complete.
        return gap.to > whole_.rows && (!version || *version <= gap.to);
    });
}

bool KnownGaps::explain_nulls(pgoutput::Lsn version) const {
    return std::ranges::any_of(gaps_, [&](const Gap& gap) {
        return gap.reason == value_unknown && !gap.repaired && gap.to > whole_.values &&
               version >= gap.from;
    });
}

std::optional<pgoutput::Lsn> KnownGaps::complete_from() const {
    pgoutput::Lsn end{};
    for (const auto& gap : missed()) {
        if (lasts(gap)) return std::nullopt;
        end = std::max(end, gap.to);
    }
    return end;
}

std::vector<KnownGaps::Gap> KnownGaps::missed() const {
    std::vector<Gap> ranges;
    std::ranges::copy_if(gaps_, std::back_inserter(ranges), [](const Gap& gap) {
        return gap.reason != value_unknown;
    });
    return ranges;
}

}  // namespace pgchronicle::verify
