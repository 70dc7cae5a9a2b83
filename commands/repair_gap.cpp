#include "commands/repair_gap.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "history_writer/pg/metadata.hpp"

#include <fmt/format.h>

#include <optional>
#include <ostream>

namespace pgchronicle::commands {
namespace {

struct OpenGap {
    std::int64_t id{0};
    std::string what;  ///< `slot_lost in every table`
    std::optional<pgoutput::Lsn> from;
    std::optional<pgoutput::Lsn> to;
};

std::optional<OpenGap>
find_open(pq::Connection& target, const std::string& pipeline, std::int64_t id) {
    const auto row = target.exec(
        "SELECT reason || ' in ' || coalesce(source_schema || '.' || source_table, 'every table'),"
        " from_lsn, to_lsn FROM pgchronicle.gap WHERE pipeline = $1 AND id = $2::bigint"
        " AND repaired_at IS NULL AND accepted_at IS NULL",
        {pipeline, std::to_string(id)}
    );
    if (row.rows() == 0) return std::nullopt;
    return OpenGap{
        id,
        row.str(0, 0),
        pgoutput::parse_lsn(row.text(0, 1)),
        pgoutput::parse_lsn(row.text(0, 2))};
}

}  // namespace

int repair_accept_gap(
    const config::Settings& settings,
    const RepairGapOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "repair accept-gap");
    history_writer::pg::ensure_metadata(target);
    std::vector<OpenGap> gaps;
    for (const auto id : options.ids) {
        auto gap = find_open(target, settings.pipeline, id);
        if (!gap) {
            return report(
                {.exit_code = exit_usage,
                 .primary =
                     fmt::format("pipeline \"{}\" has no open gap {}", settings.pipeline, id),
                 .hint =
                     R"("pgchronicle status" lists those that are neither repaired nor accepted.)"},
                err
            );
        }
        gaps.push_back(std::move(*gap));
    }
    durably(target, [&] {
        for (const auto& gap : gaps) {
            target.exec(
                "UPDATE pgchronicle.gap SET accepted_at = now() WHERE id = $1::bigint",
                {std::to_string(gap.id)}
            );
            record(
                target,
                settings.pipeline,
                {"repair accept-gap",
                 options.reason,
                 fmt::format("gap {}: {}", gap.id, gap.what),
                 gap.from,
                 gap.to}
            );
        }
    });
    for (const auto& gap : gaps) {
        out << fmt::format("accepted gap {}: {}\n", gap.id, one_line(gap.what));
    }
    return exit_done;
}

}  // namespace pgchronicle::commands
