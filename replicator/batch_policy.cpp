#include "replicator/batch_policy.hpp"

#include <algorithm>

namespace pgchronicle::replicator {

void BatchPolicy::on_rows(std::uint64_t rows, Clock::time_point now) {
    // A change that turns out to say nothing takes rows back.
    const auto added = rows - std::min(rows, rows_seen_);
    rows_seen_ = rows;
    if (rows > 0 && !waiting_since_) waiting_since_ = now;
    if (added == 0) return;
    // The rate is measured over windows as long as the delay, so that one burst does not count as
    // load and a load is seen within one delay.
    const auto elapsed = now - window_start_;
    window_rows_ += added;
    if (elapsed < limits_.delay_max) return;
    const auto seconds = std::chrono::duration<double>(elapsed).count();
    rows_per_second_ = static_cast<double>(window_rows_) / seconds;
    window_rows_ = 0;
    window_start_ = now;
}

bool BatchPolicy::hand_over(const State& state, Clock::time_point now) const {
    if (!state.writer_idle || !waiting_since_) return false;
    if (full(state)) return true;
    if (now - *waiting_since_ >= limits_.delay_max) return true;
    return state.drained && !busy(now);
}

std::optional<Clock::time_point> BatchPolicy::deadline() const {
    if (!waiting_since_) return std::nullopt;
    return *waiting_since_ + limits_.delay_max;
}

}  // namespace pgchronicle::replicator
