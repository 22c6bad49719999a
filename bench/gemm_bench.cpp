#include "bench/gemm_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "bench/result.h"
#include "io/half.h"
#include "kernels/blas_info.h"
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
  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
  }
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
  std::string operation;  // "gemm", or "gemm_bf16" where weights are stored in bfloat16
  std::string name;       // the ISA, "blas" or "reference"
  std::string isa;        // whose roof it is held against
  GemmOptions options;

  bool bf16() const { return options.type == kernels::NumberType::kBFloat16; }
  double weight_bytes() const { return bf16() ? 2.0 : sizeof(float); }
  // What is still timed, in parts of sum |a||b|: twice the contract's bound.
  static double tolerance(const Shape& shape) {
    return 4.0 * 0x1p-24 * static_cast<double>(shape.k);
  }
  // What is multiplied in truth.
  double factor(float value) const {
    return bf16() ? io::bfloat16_to_float(io::float_to_bfloat16(value)) : value;
  }
  kernels::Work work(const Shape& shape, bool hot) const {
    const double a = sizeof(float) * static_cast<double>(shape.m * shape.k);
    const double b = weight_bytes() * static_cast<double>(shape.k * shape.n);
    const double c = sizeof(float) * static_cast<double>(shape.m * shape.n);
    return {shape.flops(), a + b, c, hot ? a + b + c : HUGE_VAL, bf16()};
  }
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

  Inputs(const Shape& s, bool hot, const Implementation& implementation) : shape(s), c(s.m * s.n) {
    const kernels::Work work = implementation.work(s, true);
    const double wanted = 2.0 * static_cast<double>(kernels::last_cache_bytes()) / work.working_set;
    const std::size_t sets = hot ? 1 : static_cast<std::size_t>(wanted) + 1;
    const std::vector<float> one_a = random_values(s.m * s.k, 1),
                             one_b = random_values(s.k * s.n, 2);
    for (std::size_t i = 0; i < sets; ++i) {
      a.push_back(one_a);
      b.push_back(one_b);
      weights.emplace_back(s.k, s.n, b.back().data(), s.n, false);
      weights.back().pack(implementation.options);
    }
  }
  void multiply(std::size_t set, const GemmOptions& options) {
    kernels::linear(shape.m, a[set].data(), shape.k, weights[set], {}, c.data(), shape.n, options);
  }
};

// The benchmark runs some times in a row while its number of iterations is sought: the last inputs
// are kept.
Inputs& inputs_of(const Shape& shape, bool hot, const Implementation& implementation) {
  static std::string last;
  static std::unique_ptr<Inputs> inputs;
  const std::string wanted =
      implementation.operation + "/" + implementation.name + "/" + shape.name() + variant(1, hot);
  if (wanted != last) {
    inputs.reset();
    inputs = std::make_unique<Inputs>(shape, hot, implementation);
    last = wanted;
  }
  return *inputs;
}

// The worst |error| of some hundred elements of C, all over it, in parts of sum |a||b|. Infinity
// where an element is not a number.
double worst_error(const Inputs& inputs, const Implementation& implementation) {
  const auto [m, k, n] = inputs.shape;
  double worst = 0;
  const std::size_t step = std::max<std::size_t>(m * n / 499, 1);
  for (std::size_t index = 0; index < m * n; index += step) {
    const std::size_t i = index / n, j = index % n;
    double sum = 0, magnitude = 0;
    for (std::size_t x = 0; x < k; ++x) {
      const double term = implementation.factor(inputs.a[0][i * k + x]) *
                          implementation.factor(inputs.b[0][x * n + j]);
      sum += term;
      magnitude += std::fabs(term);
    }
    const double error = std::fabs(static_cast<double>(inputs.c[index]) - sum) / magnitude;
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  return worst;
}

void run(benchmark::State& state, const kernels::Roofs& roofs, const Implementation& implementation,
         const Shape& shape, bool hot) {
  const GemmOptions& options = implementation.options;
  Inputs& inputs = inputs_of(shape, hot, implementation);
  std::fill(inputs.c.begin(), inputs.c.end(), NAN);
  inputs.multiply(0, options);
  const double error = worst_error(inputs, implementation);
  if (!(error <= implementation.tolerance(shape))) {
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
  report(state, roofs,
         {implementation.isa, options.threads, implementation.work(shape, hot), error});
  // Effective ones: a build of OpenBLAS may have fewer than it was asked for.
  if (options.backend == GemmBackend::kBlas)
    state.counters["blas_threads"] = kernels::blas_info().threads;
}

std::vector<Implementation> implementations(int threads) {
  std::vector<Implementation> all;
  const std::vector<const KernelTable*> tables = kernels::supported_kernels();
  for (const KernelTable* table : tables)
    all.push_back({"gemm", table->isa, table->isa, {GemmBackend::kSimd, threads, table}});
  const KernelTable* best = tables.back();
  // Elsewhere bfloat16 saves memory and not time.
  for (const KernelTable* table : tables)
    if (std::string_view(table->isa) == "avx512bf16" || std::string_view(table->isa) == "amx")
      all.push_back({"gemm_bf16",
                     table->isa,
                     table->isa,
                     {GemmBackend::kSimd, threads, table, kernels::NumberType::kBFloat16}});
  all.push_back({"gemm", "blas", best->isa, {GemmBackend::kBlas, threads, best}});
  all.push_back(
      {"gemm", "reference", "scalar", {GemmBackend::kReference, threads, tables.front()}});
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
          const std::string name = implementation.operation + "/" + implementation.name + "/" +
                                   shape.name() + variant(count, hot);
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
