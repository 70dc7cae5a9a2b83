#include "commands/status_rate.hpp"

#include <algorithm>
#include <thread>

namespace pgchronicle::commands {
namespace {

/// How many rows had been stored when.
struct Sample {
    std::chrono::steady_clock::time_point at;
    std::int64_t rows{0};
};

double rate_between(const Sample& first, const Sample& last) {
    const double seconds = std::chrono::duration<double>(last.at - first.at).count();
    // Statistics can be reset in between.
    const auto rows = std::max<std::int64_t>(0, last.rows - first.rows);
    return seconds > 0 ? static_cast<double>(rows) / seconds : 0;
}

Sample take_sample(pq::Connection& target, const std::string& pipeline) {
    const auto row = target.exec(
        "SELECT coalesce(sum(pg_stat_get_tuples_inserted(c.oid)), 0)::bigint"
        " FROM pgchronicle.table_state t JOIN pg_namespace n ON n.nspname = t.target_schema"
        " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table"
        " WHERE t.pipeline = $1",
        {pipeline}
    );
    return {std::chrono::steady_clock::now(), row.int64(0, 0)};
}

/// The next sample that differs from `last`, or one that does not when patience has ended.
Sample next_sample(
    pq::Connection& target,
    const std::string& pipeline,
    const Sample& last,
    std::chrono::milliseconds patience
) {
    constexpr std::chrono::milliseconds poll{50};
    for (;;) {
        std::this_thread::sleep_for(poll);
        const auto sample = take_sample(target, pipeline);
        if (sample.rows != last.rows || sample.at - last.at >= patience) return sample;
    }
}

}  // namespace

std::int64_t rows_inserted(pq::Connection& target, const std::string& pipeline) {
    return take_sample(target, pipeline).rows;
}

// Statistics move in steps: a server process reports at the end of a transaction, if the last time
// was a second ago. So the rate is that from one step to the next; a window of its own would see
// none of them, or two.
std::optional<double> rows_per_second(
    pq::Connection& target,
    const std::string& pipeline,
    std::chrono::milliseconds patience
) {
    if (patience.count() == 0) return std::nullopt;
    const auto start = take_sample(target, pipeline);
    const auto first = next_sample(target, pipeline, start, patience);
    if (first.rows == start.rows) return 0;
    const auto second = next_sample(target, pipeline, first, patience);
    return rate_between(second.rows == first.rows ? start : first, second);
}

}  // namespace pgchronicle::commands
