#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>

namespace pgchronicle::bench {

/// How often operator new was called so far.
[[nodiscard]] std::uint64_t allocations();

/// Runs `pass` as often as the benchmark wants, each time over `rows` rows, after `warm_ups` passes
/// in which buffers grow; `prepare` comes before each pass and is not measured. Reports rows per
/// second of one core, and the allocations of a row and of a pass.
template <typename Prepare, typename Pass>
void measure(
    benchmark::State& state,
    std::size_t rows,
    const Prepare& prepare,
    const Pass& pass,
    int warm_ups = 4
) {
    for (int i = 0; i < warm_ups; ++i) {
        prepare();
        pass();
    }
    std::uint64_t allocated = 0;
    for ([[maybe_unused]] auto iteration : state) {
        state.PauseTiming();
        prepare();
        const auto before = allocations();
        state.ResumeTiming();
        pass();
        allocated += allocations() - before;
    }
    using benchmark::Counter;
    const auto passes = static_cast<double>(state.iterations());
    const auto per_pass = static_cast<double>(allocated) / passes;
    const auto rows_per_pass = static_cast<double>(rows);
    state.counters["rows"] = Counter{passes * rows_per_pass, Counter::kIsRate};
    state.counters["time/row"] =
        Counter{passes * rows_per_pass, Counter::kIsRate | Counter::kInvert};
    state.counters["new/row"] = per_pass / rows_per_pass;
    state.counters["new/pass"] = per_pass;
}

}  // namespace pgchronicle::bench
