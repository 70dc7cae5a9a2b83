#pragma once

#include "log/line.hpp"
#include "log/log.hpp"
#include "replicator/batch_policy.hpp"
#include "tests/property/story.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Time, chance, and what happens next, all of it from one seed.

namespace pgchronicle::simulation {

using replicator::Clock;
using Time = Clock::time_point;
using Duration = Clock::duration;
using namespace std::chrono_literals;

/// The process dies here: nothing of it is called any more.
struct Killed {};

/// What must not be. The first one ends the simulation.
class Wrong : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class World {
public:
    /// `lines_max`: keeps so many lines of what happened last; making them takes most of the time.
    World(std::uint64_t seed, std::size_t lines_max) : random_{seed}, lines_max_{lines_max} {}

    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] test::Random& random() { return random_; }

    /// Nothing has a chance of one in zero.
    [[nodiscard]] bool chance(std::size_t one_in) {
        return one_in != 0 && test::one_in(random_, one_in);
    }
    [[nodiscard]] std::size_t below(std::size_t end) { return test::below(random_, end); }
    /// Between nothing and `most`, both included; more often short than long.
    [[nodiscard]] Duration up_to(Duration most) {
        const auto ticks = static_cast<std::size_t>(most.count());
        const auto any = below(ticks + 1);
        return Duration{static_cast<Duration::rep>(chance(2) ? any : any / 16)};
    }
    template <typename Value>
    [[nodiscard]] Value one_of(std::initializer_list<Value> values) {
        return *(values.begin() + below(values.size()));
    }

    void at(Time time, std::function<void()> call) {
        events_.push_back({std::max(time, now_), next_number_++, std::move(call)});
        std::push_heap(events_.begin(), events_.end());
    }
    void after(Duration delay, std::function<void()> call) { at(now_ + delay, std::move(call)); }

    /// Lets the next thing happen.
    void step() {
        constexpr std::size_t events_at_once_max = 20'000;
        constexpr std::uint64_t events_max = 1'000'000;
        if (events_.empty()) fail("nothing happens any more");
        std::pop_heap(events_.begin(), events_.end());
        const auto event = std::move(events_.back());
        events_.pop_back();
        events_at_once_ = event.time == now_ ? events_at_once_ + 1 : 0;
        now_ = event.time;
        if (++events_run_ > events_max) fail("it never ends");
        if (events_at_once_ > events_at_once_max) fail("something runs without a pause");
        event.call();
        // The product may have caught it, and must not go on.
        if (!wrong_.empty()) throw Wrong{wrong_};
    }
    [[nodiscard]] std::uint64_t events_run() const { return events_run_; }

    [[noreturn]] void fail(const std::string& what) {
        if (wrong_.empty()) wrong_ = what;
        throw Wrong{wrong_};
    }

    /// Something happened that is worth trying: how often it did is said at the end.
    void count(std::string_view what) { ++counts_[what]; }
    using Counts = std::map<std::string_view, std::uint64_t>;
    [[nodiscard]] const Counts& counts() const { return counts_; }
    /// The same, as a fault of the trace.
    void fault(std::string_view what) {
        ++faults_;
        last_fault_ = now_;
        count(what);
        trace([&] { return "FAULT: " + std::string{what}; });
    }

    [[nodiscard]] std::uint64_t faults() const { return faults_; }
    [[nodiscard]] Time last_fault() const { return last_fault_; }

    /// `line()` gives the text; it is called only if somebody will read it.
    template <typename Line>
    void trace(Line line) {
        if (lines_max_ == 0) return;
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now_ - start);
        auto time = std::to_string(micros.count());
        if (time.size() < 4) time.insert(0, 4 - time.size(), '0');
        time.insert(time.size() - 3, ".");
        if (time.size() < 12) time.insert(0, 12 - time.size(), ' ');
        trace_.push_back(time + " ms  " + line());
        if (trace_.size() > lines_max_) trace_.pop_front();
    }
    [[nodiscard]] const std::deque<std::string>& lines() const { return trace_; }

private:
    struct Event {
        Time time;
        std::uint64_t number;  ///< Of two at the same time, the one that was set first.
        std::function<void()> call;

        bool operator<(const Event& other) const {
            return std::pair{time, number} > std::pair{other.time, other.number};
        }
    };

    static constexpr Time start{1000h};
    Time now_{start};
    Time last_fault_{};
    std::uint64_t faults_{0};
    test::Random random_;
    std::size_t lines_max_;
    std::vector<Event> events_;  ///< A heap, the next one first.
    std::uint64_t next_number_{0};
    std::uint64_t events_run_{0};
    std::size_t events_at_once_{0};
    std::string wrong_;
    Counts counts_;
    std::deque<std::string> trace_;
};

/// The product's log, as lines of the trace.
class TraceLogger : public log::Logger {
public:
    explicit TraceLogger(World& world) : world_{world} {}

    void write(
        log::Level level,
        std::string_view event,
        std::span<const log::Field> fields
    ) noexcept override {
        world_.trace([&] {
            std::string line;
            log::append_text(line, level, event, fields);
            return "  log: " + line;
        });
    }
    [[nodiscard]] bool enabled(log::Level /*level*/) const noexcept override { return true; }
    void set_level(log::Level /*level*/) noexcept override {}

private:
    World& world_;
};

}  // namespace pgchronicle::simulation
