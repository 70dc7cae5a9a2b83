#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace pgchronicle::replicator {

using Clock = std::chrono::steady_clock;

struct BatchLimits {
    std::chrono::milliseconds delay_max{50};
    std::uint64_t rows_max{50'000};
    std::uint64_t bytes_max{32ULL << 20U};
};

/// When a batch goes to the writer. Lightly loaded: at once. Loaded: batches grow while the writer
/// is busy, and for at most `delay_max` while it is not, because few large writes cost the target
/// far less than many small ones. Reads no clock.
class BatchPolicy {
public:
    explicit BatchPolicy(BatchLimits limits) : limits_{limits} {}

    /// The batch holds `rows` rows at `now`; the first ones start the delay. To be told of whatever
    /// is in the batch, not of what was added to it: a batch may be handed over in between.
    void on_rows(std::uint64_t rows, Clock::time_point now);
    /// The batch was handed over; the next one is empty.
    void on_handed_over() {
        waiting_since_.reset();
        rows_seen_ = 0;
    }

    struct State {
        std::uint64_t rows{0};
        std::uint64_t bytes{0};
        bool writer_idle{false};
        bool drained{false};  ///< Nothing more to read just now.
        bool closed{false};   ///< Nothing more may go into it, however small it is.
    };
    [[nodiscard]] bool full(const State& state) const {
        return state.closed || state.rows >= limits_.rows_max || state.bytes >= limits_.bytes_max;
    }
    /// So far over the limits that even a transaction must be cut.
    [[nodiscard]] bool overfull(const State& state) const {
        return state.rows >= 2 * limits_.rows_max || state.bytes >= 2 * limits_.bytes_max;
    }
    [[nodiscard]] bool hand_over(const State& state, Clock::time_point now) const;
    /// When to ask again although nothing happens.
    [[nodiscard]] std::optional<Clock::time_point> deadline() const;
    /// Whether so many rows come that reading may be done in larger steps.
    [[nodiscard]] bool busy(Clock::time_point now) const {
        return rows_per_second_ > light_load_rows_per_second &&
               now - window_start_ < 2 * limits_.delay_max;
    }

private:
    /// Below this a write of its own for every few rows still leaves the target idle most of the
    /// time: a write costs it about a millisecond.
    static constexpr double light_load_rows_per_second = 10'000;

    BatchLimits limits_;
    std::optional<Clock::time_point> waiting_since_;
    std::uint64_t rows_seen_{0};  ///< Of this batch.
    Clock::time_point window_start_{};
    std::uint64_t window_rows_{0};
    double rows_per_second_{0};
};

}  // namespace pgchronicle::replicator
