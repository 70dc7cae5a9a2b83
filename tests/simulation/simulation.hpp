#pragma once

#include "replicator/backoff.hpp"
#include "replicator/io/session.hpp"
#include "replicator/startup_guard.hpp"
#include "tests/simulation/fake_process.hpp"
#include "tests/simulation/fake_source.hpp"
#include "tests/simulation/fake_target.hpp"
#include "tests/simulation/plants.hpp"
#include "tests/simulation/reference.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::simulation {

/// What happened in one simulation.
struct Outcome {
    std::string wrong;  ///< Empty: nothing.
    std::string setting;
    std::vector<std::string> trace;
    std::uint64_t events{0};
    std::uint64_t turns{0};
    std::uint64_t commits{0};
    Duration duration{};
    World::Counts counts;
    std::uint64_t fate{0};  ///< A number drawn at the end: equal for equal courses.

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// One story of a source, and how it is followed through everything that can go wrong.
class Simulation {
public:
    Simulation(std::uint64_t seed, Plant plant, std::size_t trace_lines);

    [[nodiscard]] Outcome run();

private:
    /// Which faults are at work, and how everything is set. Drawn, so that each seed tries a few
    /// things thoroughly.
    struct Setting {
        Duration pace{};  ///< Between commits at most.
        std::size_t faults{0};
        bool ours{false};
        bool of_source{false};
        bool of_target{false};
        bool of_network{false};
        bool of_others{false};       ///< Somebody changes what is ours.
        std::size_t kill_one_in{0};  ///< At any message to or from the source.
        std::size_t until_one_in{0};
        enum class Peek { none, right, mixed } peek{Peek::none};
        config::HoldBack window;
        FakeTables::Options tables;
        replicator::io::SessionOptions session;
        SourceOptions source;
        TargetOptions target;
    };
    [[nodiscard]] Setting draw_setting();
    void draw_source(Setting& setting);
    void draw_target(Setting& setting);
    [[nodiscard]] test::Story draw_story();
    [[nodiscard]] std::string told_setting() const;

    void schedule_faults();
    void one_fault();
    void fault_of_ours(Duration down);
    void fault_of_source(Duration down);
    void fault_of_target(Duration down);
    void fault_of_network(Duration down);
    void fault_of_others(Duration down);
    void stand_still(Duration duration);
    void cease_faults();
    void look_whether_done();

    void live();
    void live_once();
    void turn();
    void stream(const history_writer::Checkpoint& checkpoint, int connection);
    [[nodiscard]] std::optional<Lsn> draw_until(Lsn from);
    void check_end(replicator::io::SessionEnd end, Lsn from, std::optional<Lsn> until);
    [[nodiscard]] history_writer::Checkpoint start_point();
    [[nodiscard]] replicator::Startup guarded(const replicator::StartupFacts& facts);
    /// Nobody but a person can know what is right.
    [[noreturn]] void refuse(const replicator::NeedsOperator& error);
    [[nodiscard]] replicator::HoldBack hold_back() const;
    [[nodiscard]] std::optional<Lsn> peek(const pgoutput::Begin& begin);
    void on_status(const pgoutput::StatusUpdate& status);
    void check_acknowledged(const pgoutput::StatusUpdate& status);
    void check_until(Lsn from, Lsn until);
    void stop();
    void look_whether_stopped(std::uint64_t turn, Time asked);
    void kill(std::string_view how);
    void pause(Duration duration);
    [[nodiscard]] bool all_stored() const;

    World world_;
    Plant plant_;
    TraceLogger log_{world_};
    Setting setting_;
    test::Story story_;
    Reference reference_;
    FakeSource source_;
    FakeTarget target_;
    replicator::Backoff backoff_{{}};
    Outcome outcome_;

    /// The product has refused to go on, and was right.
    struct Halted {};

    Process process_;
    bool quiet_{false};
    bool done_{false};
    bool meddled_{false};           ///< Somebody has changed what is ours.
    bool clock_jumped_{false};      ///< The target's.
    std::uint64_t restored_in_{0};  ///< The turn in which the target was set back last.
    bool ends_unreadable_{false};
    std::uint64_t turn_{0};  ///< The one in hand; another once its session has ended.
    std::optional<std::stop_source> stop_;
    Time last_beat_{};
    Lsn told_;       ///< What the source was told in this session, or before.
    Lsn confirmed_;  ///< Where the slot was when it began.
};

/// Runs one seed; when something is wrong, once more with a trace of the end, if it was without.
[[nodiscard]] Outcome simulate(std::uint64_t seed, Plant plant, std::size_t trace_lines = 0);

}  // namespace pgchronicle::simulation
