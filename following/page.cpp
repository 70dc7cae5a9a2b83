#include "following/page.hpp"

#include "pq/column_type.hpp"
#include "reading/rows.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgchronicle::following {

using pgoutput::Lsn;

PagePlan
plan_page(const std::vector<SizedPosition>& first, bool complete, const PageLimits& limits) {
    if (first.empty()) return {.nothing = true};
    PagePlan plan;
    std::size_t rows = 0;
    std::size_t bytes = 0;
    for (auto seq = first.begin(); seq != first.end();) {
        const auto end = std::find_if(seq, first.end(), [&](const SizedPosition& other) {
            return other.lsn != seq->lsn || other.seq != seq->seq;
        });
        const auto count = static_cast<std::size_t>(end - seq);
        for (auto change = seq; change != end; ++change) bytes += change->bytes;
        rows += count;
        const bool fits = rows <= limits.rows && bytes <= limits.bytes;
        const bool all_of_it = complete || end != first.end();
        const Position upto{seq->lsn, seq->seq, Position::all};
        if (seq == first.begin() && (!all_of_it || (!fits && count > 1))) {
            return {.large = true, .upto = upto};
        }
        if (seq != first.begin() && (!all_of_it || !fits)) break;
        plan.upto = upto;
        seq = end;
    }
    return plan;
}

PagePlan plan_page(
    pq::Connection& target,
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    const PageLimits& limits,
    const Shown& shown
) {
    const auto count = limits.rows + 1;
    const auto rows = std::move(
        read_by_index(target, shown, {positions_sql(tables, wanted, range, count)}).front()
    );
    std::vector<SizedPosition> first;
    first.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) {
        first.push_back(
            {pgoutput::parse_lsn(rows.text(row, 0)).value_or(Lsn{}),
             static_cast<std::uint64_t>(rows.int64(row, 1)),
             static_cast<std::size_t>(rows.int64(row, 2))}
        );
    }
    return plan_page(first, first.size() < count, limits);
}

std::vector<pq::Result> read_by_index(
    pq::Connection& target,
    const Shown& shown,
    const std::vector<std::string>& statements
) {
    target.enter_pipeline();
    target.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // The statistics do not know what was written last, which is what is asked for.
    for (const char* setting : {"enable_seqscan", "enable_bitmapscan", "jit"}) {
        target.send(std::string{"SET LOCAL "} + setting + " = off");
    }
    constexpr std::size_t before = 5;
    target.send(reaches_sql(shown));
    for (const auto& statement : statements) target.send(statement);
    target.send("COMMIT");
    try {
        auto results = target.sync_pipeline();
        if (!results[before - 1].boolean(0, 0)) throw SetBack{};
        return {
            std::make_move_iterator(results.begin() + before),
            std::make_move_iterator(results.end() - 1)};
    } catch (const pq::Error& error) {
        if (!error.connection_lost() && target.in_transaction()) target.exec("ROLLBACK");
        throw;
    }
}

std::vector<Change>
changes_of(const pq::Result& rows, const FollowedTable& table, const Wanted& wanted) {
    const auto own = wanted.names.in_order();
    auto changed = std::make_shared<ChangedTable>();
    changed->name = table.name;
    std::vector<int> columns;
    for (int column = leading_columns; column < rows.columns(); ++column) {
        auto name = rows.name(column);
        if (std::ranges::find(own, name) != own.end()) continue;
        columns.push_back(column);
        changed->columns.push_back({std::move(name), {}, pq::column_type(rows, column)});
    }
    for (const auto& key : table.row_key) {
        const auto found = std::ranges::find(changed->columns, key, &reading::Column::name);
        if (found == changed->columns.end()) continue;
        changed->key.push_back(static_cast<std::size_t>(found - changed->columns.begin()));
    }
    std::vector<Change> changes;
    changes.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) {
        auto& change = changes.emplace_back();
        change.table = changed;
        change.position.lsn = pgoutput::parse_lsn(rows.text(row, 0)).value_or(Lsn{});
        change.position.seq = static_cast<std::uint64_t>(rows.int64(row, 1));
        change.operation = rows.str(row, 2);
        change.valid_from = rows.str(row, 3);
        change.values.reserve(columns.size());
        for (const int column : columns) {
            change.values.push_back(reading::value_of(rows, row, column));
        }
    }
    return changes;
}

namespace {

/// Numbers the changes of each seq, the last of which stands for all, and takes out those that have
/// been seen.
void number_changes(std::vector<Change>& changes, const Position& seen) {
    const auto place = [](const Change& change) {
        return std::pair{change.position.lsn, change.position.seq};
    };
    for (std::size_t i = 0; i < changes.size();) {
        const auto first = i;
        while (i < changes.size() && place(changes[i]) == place(changes[first])) {
            changes[i].position.nth = i - first + 1;
            ++i;
        }
        changes[i - 1].position.nth = Position::all;
    }
    std::erase_if(changes, [&](const Change& change) { return change.position <= seen; });
}

}  // namespace

std::vector<Change> read_page(
    pq::Connection& target,
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    const Shown& shown
) {
    std::vector<std::string> statements;
    for (const auto& table : tables) statements.push_back(changes_sql(table, wanted, range));
    const auto results = read_by_index(target, shown, statements);
    std::vector<Change> changes;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        if (results[i].rows() == 0) continue;
        auto of_table = changes_of(results[i], tables[i], wanted);
        std::ranges::move(of_table, std::back_inserter(changes));
    }
    // Within a seq they are in the order of the tables, and in the target's order.
    std::ranges::stable_sort(changes, {}, [](const Change& change) {
        return std::pair{change.position.lsn, change.position.seq};
    });
    number_changes(changes, range.from);
    return changes;
}

}  // namespace pgchronicle::following
