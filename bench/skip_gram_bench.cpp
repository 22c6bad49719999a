#include "bench/skip_gram_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "bench/result.h"
#include "kernels/dispatch.h"
#include "kernels/skip_gram/skip_gram.h"

namespace glassgpt::bench {
namespace {

using kernels::KernelTable;

struct Problem {
  std::size_t inputs, outputs, cols;

  std::string name(const char* isa) const {
    return std::string("skip_gram/") + isa + "/" + std::to_string(inputs) + "x" +
           std::to_string(outputs) + "x" + std::to_string(cols) + variant(1, true);
  }
  kernels::Work work() const {
    const auto c = static_cast<double>(cols);
    const double bytes = 4.0 * static_cast<double>(inputs + outputs) * c;
    return {6.0 * static_cast<double>(inputs * outputs) * c, bytes, bytes, 2.0 * bytes};
  }
};

struct Rows {
  explicit Rows(const Problem& shape)
      : problem(shape),
        values((shape.inputs + shape.outputs) * shape.cols),
        errors(shape.inputs * shape.outputs) {
    std::mt19937 generator(7);
    std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
    for (float& value : values) value = uniform(generator);
  }
  void step(kernels::SkipGramFn* run, float rate) {
    float* x[kernels::kSkipGramInputs];
    float* y[kernels::kSkipGramOutputs];
    for (std::size_t b = 0; b < problem.inputs; ++b) x[b] = values.data() + b * problem.cols;
    for (std::size_t n = 0; n < problem.outputs; ++n) {
      y[n] = values.data() + (problem.inputs + n) * problem.cols;
    }
    run(problem.inputs, problem.outputs, problem.cols, x, y, true, rate, errors.data());
  }
  Problem problem;
  std::vector<float> values, errors;
};

// Of a step with a large rate, relative to 1 + |expected|.
double error_of(const KernelTable& table, const Problem& problem) {
  Rows actual(problem), expected(problem);
  actual.step(table.skip_gram, 0.5f);
  expected.step(kernels::skip_gram_reference, 0.5f);
  double error = 0.0;
  const auto compare = [&error](const std::vector<float>& a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
      error = std::isnan(difference)
                  ? HUGE_VAL
                  : std::max(error, difference / (1.0 + std::fabs(static_cast<double>(b[i]))));
    }
  };
  compare(actual.values, expected.values);
  compare(actual.errors, expected.errors);
  return error;
}

void run(benchmark::State& state, const KernelTable& table, const Problem& problem,
         const kernels::Roofs& roofs) {
  const double error = error_of(table, problem);
  if (!(error < 1e-5)) {
    state.SkipWithError("disagrees with the reference and is not timed");
    return;
  }
  Rows rows(problem);
  // Without a rate the numbers stay what they are, however often; the work is the same.
  for ([[maybe_unused]] auto _ : state) {
    rows.step(table.skip_gram, 0.0f);
    benchmark::ClobberMemory();
  }
  report(state, roofs, {table.isa, 1, problem.work(), error});
}

}  // namespace

void register_skip_gram_benchmarks(const kernels::Roofs& roofs) {
  for (const KernelTable* table : kernels::supported_kernels()) {
    for (const Problem& problem : {Problem{6, 6, 112}, {10, 6, 112}, {2, 6, 112}, {6, 6, 304}}) {
      benchmark::RegisterBenchmark(problem.name(table->isa).c_str(), [table, problem, &roofs](
                                                                         benchmark::State& state) {
        run(state, *table, problem, roofs);
      })->Unit(benchmark::kNanosecond);
    }
  }
}

}  // namespace glassgpt::bench
