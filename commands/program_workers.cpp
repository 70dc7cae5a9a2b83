#include "commands/program_workers.hpp"

#include "commands/run_program.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace pgchronicle::commands {
namespace {

using following::Change;
using Clock = std::chrono::steady_clock;

/// The changes of one call, and how far they are. What threads share is behind the mutex.
class Work {
public:
    Work(const ProgramWorkers::Options& options, std::span<const Change> changes)
        : options_{options}, changes_{changes}, done_(changes.size(), false) {
        shares_.resize(options.jobs);
        for (std::size_t i = 0; i < changes.size(); ++i) {
            const auto row = std::hash<std::string>{}(changes[i].row_identity());
            shares_[row % shares_.size()].push_back(i);
        }
    }

    ProgramWorkers::Outcome
    run(const std::stop_token& stop, const std::function<void(std::size_t)>& progress);

private:
    void work(const std::vector<std::size_t>& share);
    bool deliver(std::size_t change);
    bool wait_to_try_again(replicator::Backoff& backoff, const Change& change, const ProgramEnd&);
    void give_up(ProgramWorkers::Failure failure);

    const ProgramWorkers::Options& options_;
    std::span<const Change> changes_;
    std::vector<std::vector<std::size_t>> shares_;  ///< Of each thread, in order.
    std::stop_source ending_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<bool> done_;
    std::size_t working_{0};
    std::optional<ProgramWorkers::Failure> failure_;
    std::exception_ptr thrown_;
};

void Work::give_up(ProgramWorkers::Failure failure) {
    const std::lock_guard lock{mutex_};
    if (!failure_) failure_ = std::move(failure);
    ending_.request_stop();
}

bool Work::wait_to_try_again(
    replicator::Backoff& backoff,
    const Change& change,
    const ProgramEnd& end
) {
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto delay = backoff.next(std::uniform_real_distribution<>{}(random));
    std::unique_lock lock{mutex_};
    if (ending_.stop_requested()) return false;
    options_.warn(fmt::format(
        "program {} for the change at {} of table \"{}\"; trying again in {} ms",
        end.text(),
        to_string(change.position),
        change.table->name,
        delay.count()
    ));
    changed_.wait_for(lock, ending_.get_token(), delay, [] { return false; });
    return !ending_.stop_requested();
}

bool Work::deliver(std::size_t index) {
    const Change& change = changes_[index];
    std::string line;
    append_json(line, change);
    line += '\n';
    replicator::Backoff backoff{options_.backoff};
    const auto begun = Clock::now();
    for (;;) {
        const auto end = run_program(options_.command, line);
        if (end.succeeded()) return true;
        if (end.not_found()) {
            give_up(
                {.primary = "program cannot be run",
                 .detail = fmt::format("The shell {} for: {}", end.text(), options_.command)}
            );
            return false;
        }
        if (options_.elapsed_max.count() > 0 && Clock::now() - begun > options_.elapsed_max) {
            give_up(
                {.primary = fmt::format("program {} again and again", end.text()),
                 .detail = fmt::format(
                     "It was run for the change at {} of table \"{}\".",
                     to_string(change.position),
                     change.table->name
                 ),
                 .passes = true}
            );
            return false;
        }
        if (!wait_to_try_again(backoff, change, end)) return false;
    }
}

void Work::work(const std::vector<std::size_t>& share) {
    try {
        for (const auto index : share) {
            if (ending_.stop_requested() || !deliver(index)) break;
            const std::lock_guard lock{mutex_};
            done_[index] = true;
            changed_.notify_all();
        }
    } catch (...) {
        const std::lock_guard lock{mutex_};
        thrown_ = std::current_exception();
        ending_.request_stop();
    }
    const std::lock_guard lock{mutex_};
    --working_;
    changed_.notify_all();
}

ProgramWorkers::Outcome
Work::run(const std::stop_token& stop, const std::function<void(std::size_t)>& progress) {
    const std::stop_callback ends{stop, [&] { ending_.request_stop(); }};
    std::vector<std::jthread> threads;
    working_ = shares_.size();
    for (const auto& share : shares_) threads.emplace_back([&] { work(share); });
    std::size_t first = 0;
    std::unique_lock lock{mutex_};
    const auto more = [&] { return first < done_.size() && done_[first]; };
    while (working_ > 0 || more()) {
        changed_.wait(lock, [&] { return working_ == 0 || more(); });
        if (!more()) continue;
        while (more()) ++first;
        if (thrown_) continue;
        lock.unlock();
        std::exception_ptr thrown;
        try {
            progress(first);
        } catch (...) {
            thrown = std::current_exception();
            ending_.request_stop();
        }
        lock.lock();
        if (thrown) thrown_ = thrown;
    }
    return {.done = first, .failure = failure_, .thrown = thrown_};
}

}  // namespace

ProgramWorkers::ProgramWorkers(Options options) : options_{std::move(options)} {}

ProgramWorkers::Outcome ProgramWorkers::run(
    std::span<const following::Change> changes,
    const std::stop_token& stop,
    const std::function<void(std::size_t done)>& progress
) const {
    return Work{options_, changes}.run(stop, progress);
}

}  // namespace pgchronicle::commands
