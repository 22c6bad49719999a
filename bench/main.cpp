// glassgpt_bench: measures the roofs, then whatever --benchmark_filter selects. Example:
//   glassgpt_bench --benchmark_filter='gemm/(avx512|blas)/128x768x3072' --benchmark_out=gemm.json
// Three repetitions in random order and their medians, unless the usual flags say otherwise.
// bench/report.py makes a page of the file; Google Benchmark's compare.py compares two.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <xsimd/config/xsimd_config.hpp>

#include "bench/attention_bench.h"
#include "bench/elementwise_bench.h"
#include "bench/gemm_bench.h"
#include "bench/reporters.h"
#include "bench/skip_gram_bench.h"
#include "bench/tokenizer_bench.h"
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

void add_roofs(const Roofs& roofs) {
  using benchmark::AddCustomContext;
  const auto suffix = [](const Roofs::Key& key) {
    return key.first + "/" + std::to_string(key.second) + "t";
  };
  for (const auto& [key, gflops] : roofs.gflops)
    AddCustomContext("roof_gflops/float32/" + suffix(key), rounded(gflops));
  for (const auto& [key, gflops] : roofs.bf16_gflops)
    AddCustomContext("roof_gflops/bf16/" + suffix(key), rounded(gflops));
  for (const auto& level : roofs.memory)
    for (const auto& [threads, gbps] : level.read_gbps) {
      AddCustomContext("roof_gbps/read/" + suffix({level.name, threads}), rounded(gbps));
      AddCustomContext("roof_gbps/copy/" + suffix({level.name, threads}),
                       rounded(level.copy_gbps.at(threads)));
      AddCustomContext("roof_gbps/update/" + suffix({level.name, threads}),
                       rounded(level.update_gbps.at(threads)));
    }
}

void add_context() {
  using benchmark::AddCustomContext;
  AddCustomContext("cpu", glassgpt::kernels::cpu_name());
  AddCustomContext("isa", glassgpt::kernels::active_kernels().isa);
  AddCustomContext("glassgpt", GLASSGPT_VERSION);
  AddCustomContext("compiler", GLASSGPT_COMPILER);
  AddCustomContext("xsimd", std::to_string(XSIMD_VERSION_MAJOR) + "." +
                                std::to_string(XSIMD_VERSION_MINOR) + "." +
                                std::to_string(XSIMD_VERSION_PATCH));
  AddCustomContext("google_benchmark", GLASSGPT_BENCHMARK_VERSION);
  const glassgpt::kernels::BlasInfo blas = glassgpt::kernels::blas_info();
  AddCustomContext("blas", blas.config);
  AddCustomContext("blas_threads",
                   blas.controllable
                       ? "as many as the benchmark names; the counter blas_threads has what it got"
                       : std::to_string(blas.threads) + ", not ours to set");
}

// Google Benchmark refuses a reporter for a file that nobody asked for, and only writes ours as
// JSON.
bool wants_json(const std::vector<char*>& arguments) {
  bool out = false, json = true;
  for (const std::string_view argument : arguments) {
    out = out || argument.rfind("--benchmark_out=", 0) == 0;
    if (argument.rfind("--benchmark_out_format=", 0) == 0)
      json = argument == "--benchmark_out_format=json";
  }
  return out && json;
}

}  // namespace

int main(int argc, char** argv) {
  // What stands behind them on the command line wins.
  std::vector<std::string> defaults = {"--benchmark_min_time=0.05", "--benchmark_repetitions=3",
                                       "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> arguments = {argv[0]};
  for (std::string& argument : defaults) arguments.push_back(argument.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  const bool json = wants_json(arguments);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  std::vector<int> threads = {1};
  if (const unsigned cores = std::thread::hardware_concurrency(); cores > 1)
    threads.push_back(static_cast<int>(cores));
  std::fprintf(stderr, "measuring the roofs ...\n");
  const Roofs roofs = glassgpt::kernels::measure_roofs(threads);
  add_context();
  add_roofs(roofs);
  glassgpt::bench::register_gemm_benchmarks(roofs, threads);
  glassgpt::bench::register_attention_benchmarks(roofs);
  glassgpt::bench::register_elementwise_benchmarks(roofs, threads);
  glassgpt::bench::register_skip_gram_benchmarks(roofs);
  glassgpt::bench::register_tokenizer_benchmarks();
  glassgpt::bench::MedianReporter console;
  glassgpt::bench::FileReporter file;
  benchmark::RunSpecifiedBenchmarks(&console, json ? &file : nullptr);
  benchmark::Shutdown();
  return 0;
}
