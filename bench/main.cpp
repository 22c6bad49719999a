// glassgpt_bench: measures the roofs, then whatever --benchmark_filter selects. Example:
//   glassgpt_bench --benchmark_filter='gemm/(avx512|blas)/128x768x3072' --benchmark_out=gemm.json
// Three repetitions in random order and their medians, unless the usual flags say otherwise.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "bench/attention_bench.h"
#include "bench/elementwise_bench.h"
#include "bench/gemm_bench.h"
#include "kernels/blas_info.h"
#include "kernels/dispatch.h"
#include "kernels/roofs/roofs.h"

namespace {

using glassgpt::kernels::Roofs;

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

void add_context(const Roofs& roofs) {
  using benchmark::AddCustomContext;
  AddCustomContext("glassgpt", GLASSGPT_VERSION);
  AddCustomContext("compiler", GLASSGPT_COMPILER);
  AddCustomContext("isa", glassgpt::kernels::active_kernels().isa);
  const glassgpt::kernels::BlasInfo blas = glassgpt::kernels::blas_info();
  AddCustomContext("blas", blas.config);
  AddCustomContext("blas_threads", blas.controllable
                                       ? "as many as the benchmark names"
                                       : std::to_string(blas.threads) + ", not ours to set");
  for (const auto& [key, gflops] : roofs.gflops)
    AddCustomContext("roof/fma/" + key.first + "/" + std::to_string(key.second) + "t",
                     rounded(gflops) + " GFLOP/s");
  for (const auto& level : roofs.memory)
    for (const auto& [threads, gbps] : level.read_gbps)
      AddCustomContext(
          "roof/" + level.name + "/" + std::to_string(threads) + "t",
          rounded(gbps) + " GB/s read, " + rounded(level.copy_gbps.at(threads)) + " GB/s copy");
}

// The console shows the median of each benchmark, as plain numbers; --benchmark_out has everything.
class MedianReporter : public benchmark::ConsoleReporter {
 public:
  MedianReporter() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> shown;
    for (const Run& run : runs) {
      const bool repeated = run.repetitions > 1;
      const bool is_median = run.run_type == Run::RT_Aggregate && run.aggregate_name == "median";
      if (repeated && !is_median && !run.error_occurred) continue;
      shown.push_back(run);
      for (auto& [name, counter] : shown.back().counters)
        counter.flags = benchmark::Counter::kDefaults;
    }
    if (!shown.empty()) ConsoleReporter::ReportRuns(shown);
  }
};

}  // namespace

int main(int argc, char** argv) {
  // What stands behind them on the command line wins.
  std::vector<std::string> defaults = {"--benchmark_min_time=0.05", "--benchmark_repetitions=3",
                                       "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> arguments = {argv[0]};
  for (std::string& argument : defaults) arguments.push_back(argument.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  std::vector<int> threads = {1};
  if (const unsigned cores = std::thread::hardware_concurrency(); cores > 1)
    threads.push_back(static_cast<int>(cores));
  std::fprintf(stderr, "measuring the roofs ...\n");
  const Roofs roofs = glassgpt::kernels::measure_roofs(threads);
  add_context(roofs);
  glassgpt::bench::register_gemm_benchmarks(roofs, threads);
  glassgpt::bench::register_attention_benchmarks(roofs);
  glassgpt::bench::register_elementwise_benchmarks();
  MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
