#include "tests/simulation/simulation.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

// simulate [SEEDS]            runs so many seeds, 2,000 if not said. PGCHRONICLE_SEED=n begins with
//                             seed n; if SEEDS is not said, it runs that one and tells its course.
// simulate --planted [SEEDS]  whether each planted fault is found within so many

namespace {

using namespace pgchronicle::simulation;

constexpr std::uint64_t default_seeds = 2'000;
/// Of one that is run alone, everything is told.
constexpr std::size_t all_lines = 1'000'000;
/// How often a seed is run twice, to see whether it decides everything.
constexpr std::uint64_t twice_every = 50;

std::optional<std::uint64_t> given_seed() {
    const char* const seed = std::getenv("PGCHRONICLE_SEED");
    if (seed == nullptr) return std::nullopt;
    return std::strtoull(seed, nullptr, 10);
}

/// What so many seeds must have tried, each of it; else the simulation is not what it says.
constexpr std::uint64_t seeds_for_all = 1'000;
const std::vector<std::string_view> all_that_happens{
    "SIGTERM",
    "acknowledgement is held back",
    "a commit ends elsewhere than it was read to end",
    "catalog cannot be read",
    "commit's end is read",
    "connection to the source is cut in silence",
    "connection to the source is reset",
    "copy_due",
    "it refuses to go on",
    "keys are compared by the source",
    "killed before the reply to its COMMIT",
    "killed between two events",
    "killed while it tells its position",
    "messages are lost with their connection",
    "network stalls",
    "our process stands still",
    "open transaction of the target is rolled back",
    "part of a batch",
    "prepared transaction is rolled back",
    "reply to a COMMIT is lost",
    "slot is still active",
    "somebody moves the slot on",
    "source crashes",
    "source crashes, slot goes back",
    "source does not hear us any more",
    "source has shut down in good order",
    "source is not heard any more",
    "source is restored from a backup",
    "source shuts down",
    "table is looked up",
    "target crashes",
    "target crashes and loses commits",
    "target does not answer, and we must end",
    "target has an error that passes",
    "target is down",
    "target is restored from a backup",
    "target stands still",
    "target's clock jumps",
    "target's connection is lost before a write",
    "target's disk stands still",
    "transaction is prepared",
    "transaction is streamed",
    "transaction is streamed and prepared",
    "transaction is streamed and rolled back",
    "until_reached",
    "walsender gives up: timeout"};

void report(const Outcome& outcome, std::uint64_t seed) {
    std::cout << outcome.setting << '\n';
    for (const auto& line : outcome.trace) std::cout << line << '\n';
    std::cout << "PGCHRONICLE_SEED=" << seed << ": "
              << (outcome.wrong.empty() ? "nothing is wrong" : outcome.wrong) << '\n';
}

bool everything_happened(const World::Counts& counts) {
    bool all = true;
    for (const auto what : all_that_happens) {
        const auto found = counts.find(what);
        std::cout << std::setw(10) << (found == counts.end() ? 0 : found->second) << "  " << what
                  << '\n';
        all = all && found != counts.end();
    }
    return all;
}

int run_seeds(std::uint64_t first, std::uint64_t count) {
    Outcome sum;
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < count; ++i) {
        auto outcome = simulate(first + i, Plant::none);
        if (outcome.wrong.empty() && i % twice_every == 0 &&
            simulate(first + i, Plant::none) != outcome) {
            outcome.wrong = "the seed does not decide everything";
        }
        if (!outcome.wrong.empty()) {
            report(outcome, first + i);
            return 1;
        }
        sum.events += outcome.events;
        sum.turns += outcome.turns;
        sum.commits += outcome.commits;
        sum.duration += outcome.duration;
        for (const auto& [what, times] : outcome.counts) sum.counts[what] += times;
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
    std::cout << count << " seeds: " << sum.turns << " starts, " << sum.commits << " commits, "
              << sum.events << " events, "
              << std::chrono::duration_cast<std::chrono::minutes>(sum.duration).count()
              << " minutes of simulated time in " << elapsed.count() << " s\n";
    return everything_happened(sum.counts) || count < seeds_for_all ? 0 : 1;
}

/// The first line of what is wrong, empty if nothing. In a process of its own, for what is planted
/// may also be found by an assertion.
std::string what_is_wrong(std::uint64_t seed, Plant plant) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    const auto child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        const auto outcome = simulate(seed, plant);
        const auto line = outcome.wrong.substr(0, outcome.wrong.find('\n'));
        const auto written = ::write(ends[1], line.data(), line.size());
        ::_exit(written == static_cast<ssize_t>(line.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string line(1'000, '\0');
    const auto read = ::read(ends[0], line.data(), line.size());
    line.resize(read > 0 ? static_cast<std::size_t>(read) : 0);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return line;
    return WIFSIGNALED(status) ? "an assertion, or signal " + std::to_string(WTERMSIG(status))
                               : "it ends with an error";
}

int find_plants(std::uint64_t first, std::uint64_t count) {
    int missed = 0;
    for (const auto plant : all_plants()) {
        std::uint64_t i = 0;
        std::string wrong;
        while (i < count && wrong.empty()) wrong = what_is_wrong(first + i++, plant);
        std::cout << name_of(plant) << ": ";
        if (wrong.empty()) {
            std::cout << "NOT found in " << count << " seeds\n";
            ++missed;
        } else {
            std::cout << "found by seed " << i << " (" << first + i - 1 << "): " << wrong << '\n';
        }
        std::cout.flush();
    }
    return missed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const bool planted = argc > 1 && std::strcmp(argv[1], "--planted") == 0;
    const int position = planted ? 2 : 1;
    const auto seed = given_seed();
    if (seed && argc == 1) {
        const auto outcome = simulate(*seed, Plant::none, all_lines);
        report(outcome, *seed);
        return outcome.wrong.empty() ? 0 : 1;
    }
    auto count = default_seeds;
    if (argc > position) count = std::strtoull(argv[position], nullptr, 10);
    const auto first = seed ? *seed : std::random_device{}();
    std::cout << "PGCHRONICLE_SEED=" << first << '\n';
    return planted ? find_plants(first, count) : run_seeds(first, count);
}
