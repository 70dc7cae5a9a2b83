#include "bench/micro/generated_stream.hpp"
#include "bench/micro/measure.hpp"
#include "tests/support/counted_memory.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace pgchronicle::bench {

std::uint64_t allocations() {
    return test::allocations.load(std::memory_order_relaxed);
}

}  // namespace pgchronicle::bench

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::AddCustomContext("PGCHRONICLE_SEED", std::to_string(pgchronicle::bench::seed()));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
