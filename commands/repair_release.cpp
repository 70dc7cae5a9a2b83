#include "commands/repair_release.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/quarantine_store.hpp"

#include <fmt/format.h>

#include <optional>
#include <ostream>

namespace pgchronicle::commands {

namespace pg = history_writer::pg;

int repair_release(
    const config::Settings& settings,
    const RepairReleaseOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "repair release");
    pg::ensure_metadata(target);
    if (const auto no = lock_or_refuse(target, settings.pipeline)) return report(*no, err);
    std::optional<pgoutput::Lsn> from;
    durably(target, [&] {
        from = pg::release(target, settings.pipeline, options.table);
        if (!from) return;
        const auto checkpoint = pg::read_checkpoint(target, settings.pipeline);
        record(
            target,
            settings.pipeline,
            {"repair release",
             options.reason,
             options.table,
             from,
             checkpoint ? std::optional{checkpoint->position} : std::nullopt}
        );
    });
    if (!from) {
        return report(
            {.exit_code = exit_usage,
             .primary = fmt::format("table \"{}\" is not in quarantine", options.table),
             .hint = "Name it as schema.table; \"pgchronicle status\" lists those that are."},
            err
        );
    }
    out << fmt::format(
        "the rows of {} are compared with the source when the pipeline starts; its history stands "
        "at {} until then\n",
        one_line(options.table),
        to_string(*from)
    );
    return exit_done;
}

}  // namespace pgchronicle::commands
