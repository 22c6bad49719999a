#include "bench/gemm_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/dispatch.h"
#include "kernels/gemm/gemm.h"

namespace glassgpt::bench {
namespace {

using kernels::GemmBackend;
using kernels::GemmOptions;
using kernels::KernelTable;

struct Shape {
  std::size_t m, k, n;
  double flops() const { return 2.0 * static_cast<double>(m) * static_cast<double>(k * n); }
  double bytes() const { return 4.0 * static_cast<double>(m * k + k * n + m * n); }
};

// GPT-2's products (C = 768) and those of a model of C = 256, at every number of tokens.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  const std::pair<std::size_t, std::size_t> weights[] = {
      {768, 768}, {768, 2304}, {768, 3072}, {3072, 768}, {256, 768}, {256, 1024}, {1024, 256}};
  for (const auto& [k, n] : weights)
    for (const std::size_t m : {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}) all.push_back({m, k, n});
  return all;
}

struct Implementation {
  std::string name;  // the ISA, "blas" or "reference"
  std::string isa;   // whose roof it is held against
  GemmOptions options;
};

std::vector<float> random_values(std::size_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(generator() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

// As many sets of inputs as are larger than twice the last cache together; one where they may stay
// in it.
struct Inputs {
  Shape shape;
  std::vector<std::vector<float>> a, b;
  std::vector<kernels::WeightMatrix> weights;
  std::vector<float> c;

  Inputs(const Shape& s, bool hot, const GemmOptions& options) : shape(s), c(s.m * s.n) {
    const double wanted = 2.0 * static_cast<double>(kernels::last_cache_bytes()) / s.bytes();
    const std::size_t sets = hot ? 1 : static_cast<std::size_t>(wanted) + 1;
    const std::vector<float> one_a = random_values(s.m * s.k, 1),
                             one_b = random_values(s.k * s.n, 2);
    for (std::size_t i = 0; i < sets; ++i) {
      a.push_back(one_a);
      b.push_back(one_b);
      weights.emplace_back(s.k, s.n, b.back().data(), s.n, false);
      weights.back().pack(options);
    }
  }
  void multiply(std::size_t set, const GemmOptions& options) {
    kernels::linear(shape.m, a[set].data(), shape.k, weights[set], {}, c.data(), shape.n, options);
  }
};

// The worst |error| of some hundred elements of C, all over it, in units of 2^-24 sum |a||b|; K is
// the most that it may be, and twice that what is still timed. Infinity where an element is not a
// number.
double worst_error(const Inputs& inputs) {
  const auto [m, k, n] = inputs.shape;
  double worst = 0;
  const std::size_t step = std::max<std::size_t>(m * n / 499, 1);
  for (std::size_t index = 0; index < m * n; index += step) {
    const std::size_t i = index / n, j = index % n;
    double sum = 0, magnitude = 0;
    for (std::size_t x = 0; x < k; ++x) {
      const double term =
          static_cast<double>(inputs.a[0][i * k + x]) * static_cast<double>(inputs.b[0][x * n + j]);
      sum += term;
      magnitude += std::fabs(term);
    }
    const double error =
        std::fabs(static_cast<double>(inputs.c[index]) - sum) / (0x1p-24 * magnitude);
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  return worst;
}

void run(benchmark::State& state, const kernels::Roofs& roofs, const Implementation& implementation,
         const Shape& shape, bool hot) {
  const GemmOptions& options = implementation.options;
  Inputs inputs(shape, hot, options);
  inputs.multiply(0, options);
  const double error = worst_error(inputs);
  if (!(error <= 2.0 * static_cast<double>(shape.k))) {
    state.SkipWithError("disagrees with the reference and is not timed");
    return;
  }
  std::size_t set = 0;
  for ([[maybe_unused]] auto _ : state) {
    inputs.multiply(set, options);
    benchmark::DoNotOptimize(inputs.c.data());
    benchmark::ClobberMemory();
    if (++set == inputs.a.size()) set = 0;
  }
  const double working_set = hot ? shape.bytes() : HUGE_VAL;
  const double at_least =
      roofs.seconds(implementation.isa, options.threads, shape.flops(), shape.bytes(), working_set);
  constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = benchmark::Counter(shape.flops() * 1e-9, kRate);
  state.counters["GB/s"] = benchmark::Counter(shape.bytes() * 1e-9, kRate);
  state.counters["%roof"] = benchmark::Counter(100.0 * at_least, kRate);
  state.counters["error/eps"] = benchmark::Counter(error);
}

std::vector<Implementation> implementations(int threads) {
  std::vector<Implementation> all;
  const std::vector<const KernelTable*> tables = kernels::supported_kernels();
  for (const KernelTable* table : tables)
    all.push_back({table->isa, table->isa, {GemmBackend::kSimd, threads, table}});
  all.push_back({"blas", tables.back()->isa, {GemmBackend::kBlas, threads, tables.back()}});
  all.push_back({"reference", "scalar", {GemmBackend::kReference, threads, tables.front()}});
  return all;
}

}  // namespace

void register_gemm_benchmarks(const kernels::Roofs& roofs, const std::vector<int>& threads) {
  for (const Shape& shape : shapes())
    for (const int count : threads)
      for (const bool hot : {false, true})
        for (const Implementation& implementation : implementations(count)) {
          // A double loop over a billion products tells nothing more than one over a hundred
          // million.
          if (implementation.name == "reference" && shape.flops() > 2e8) continue;
          const std::string name = "gemm/" + implementation.name + "/" + std::to_string(shape.m) +
                                   "x" + std::to_string(shape.k) + "x" + std::to_string(shape.n) +
                                   (count > 1 ? "/" + std::to_string(count) + "t" : "") +
                                   (hot ? "/hot" : "");
          benchmark::RegisterBenchmark(
              name.c_str(),
              [&roofs, implementation, shape, hot](benchmark::State& state) {
                run(state, roofs, implementation, shape, hot);
              })
              ->UseRealTime()
              ->Unit(benchmark::kMicrosecond);
        }
}

}  // namespace glassgpt::bench
