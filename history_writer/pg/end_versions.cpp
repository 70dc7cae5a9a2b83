#include "history_writer/pg/end_versions.hpp"

#include "history_writer/pg/in_transaction.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/target_table.hpp"
#include "history_writer/pg/text_literals.hpp"

#include <algorithm>

namespace pgchronicle::history_writer::pg {

void end_open_versions(
    pq::Connection& target,
    const HistoryTable& table,
    Operation operation,
    const SourceTransaction& at,
    std::uint64_t change_seq
) {
    const auto ended = target.exec(
        end_versions_sql(table, operation),
        {timestamp_text(at.recorded_time), to_string(at.end_lsn), std::to_string(change_seq)}
    );
    const auto versions = static_cast<std::uint64_t>(ended.int64(0, 0));
    require_stored(target, table, versions, static_cast<std::uint64_t>(ended.int64(0, 1)));
}

void end_versions(
    pq::Connection& target,
    const TargetName& table,
    const config::HistoryColumnNames& names,
    Operation operation,
    pgoutput::Lsn lsn,
    pgoutput::PgTimestamp time
) {
    HistoryTable all;
    all.source_schema = table.schema;
    all.source_table = table.table;
    all.target_schema = table.schema;
    all.target_table = table.table;
    all.names = names;
    const auto ours = names.in_order();
    for (const auto& [name, type] : existing_columns(target, table)) {
        if (std::ranges::find(ours, name) != ours.end()) continue;
        all.columns.push_back({name, name, type});
    }
    in_transaction(target, [&] {
        end_open_versions(target, all, operation, {lsn, time}, 0);
        require_untouched(target, table);
    });
}

}  // namespace pgchronicle::history_writer::pg
