#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "bench/attention_bench.h"
#include "bench/result.h"
#include "kernels/attention/attention.h"
#include "kernels/dispatch.h"

namespace glassgpt::bench {
namespace {

using kernels::AttentionBackwardFn;
using kernels::AttentionForwardFn;
using kernels::AttentionShape;
using kernels::KernelTable;

enum class Pass { kForward, kBackward, kDecode };

struct Problem {
  Pass pass;
  std::size_t tokens, head_dim, heads;
  bool hot;

  std::string name(const char* isa) const {
    const char* const passes[] = {"forward", "backward", "decode"};
    return std::string("attention_") + passes[static_cast<int>(pass)] + "/" + isa + "/" +
           std::to_string(tokens) + "x" + std::to_string(head_dim) + "x" + std::to_string(heads) +
           variant(1, hot);
  }
  AttentionShape shape() const {
    const std::size_t width = heads * head_dim;
    return {pass == Pass::kDecode ? 1 : tokens,
            tokens,
            heads,
            head_dim,
            3 * width,
            3 * width,
            3 * width,
            width,
            static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)))};
  }
  double flop() const {
    const double n = static_cast<double>(tokens);
    const double pairs = pass == Pass::kDecode ? n : n * (n + 1.0) / 2.0;
    const double products = pass == Pass::kBackward ? 5.0 : 2.0;
    return products * 2.0 * static_cast<double>(head_dim * heads) * pairs;
  }
  // Queries, keys and values are read, the output is written; backward also reads the output and
  // its gradient, and writes three.
  kernels::Work work() const {
    const double width = static_cast<double>(heads * head_dim) * sizeof(float);
    const double n = static_cast<double>(tokens);
    double read = width * 3.0 * n;
    double written = width * n;
    if (pass == Pass::kBackward) {
      read = width * 5.0 * n;
      written = width * 3.0 * n;
    } else if (pass == Pass::kDecode) {
      read = width * (2.0 * n + 1.0);
      written = width;
    }
    return {flop(), read, written, hot ? read + written : HUGE_VAL};
  }
};

// One sequence with room for everything that a pass reads or writes.
struct Sequence {
  explicit Sequence(const Problem& problem)
      : shape(problem.shape()),
        width(shape.heads * shape.head_dim),
        qkv(3 * width * shape.keys),
        out(width * shape.queries),
        d_out(out.size()),
        log_sum_exp(shape.heads * shape.queries),
        gradient(problem.pass == Pass::kBackward ? qkv.size() : 0) {
    std::mt19937 generator(7);
    std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
    for (float& x : qkv) x = uniform(generator);
    for (float& x : d_out) x = uniform(generator);
  }

  void forward(AttentionForwardFn* run, float* scratch) {
    const float* q = qkv.data() + (shape.keys - shape.queries) * 3 * width;
    run(shape, 0, shape.heads, 0, shape.queries, q, qkv.data() + width, qkv.data() + 2 * width,
        out.data(), log_sum_exp.data(), scratch);
  }
  void backward(AttentionBackwardFn* run, float* scratch) {
    run(shape, 0, shape.heads, qkv.data(), qkv.data() + width, qkv.data() + 2 * width, out.data(),
        d_out.data(), log_sum_exp.data(), gradient.data(), gradient.data() + width,
        gradient.data() + 2 * width, scratch);
  }

  AttentionShape shape;
  std::size_t width;
  std::vector<float> qkv, out, d_out, log_sum_exp, gradient;
};

// Largest difference from the reference, relative to 1 + |expected|, in the first head, which goes
// through the same code as the others.
double error_of_first_head(const KernelTable& table, const Problem& problem) {
  Problem first = problem;
  first.heads = 1;
  Sequence actual(first), expected(first);
  std::vector<float> scratch(table.attention_scratch(actual.shape));
  std::vector<float> reference_scratch(kernels::attention_scratch_reference(actual.shape));
  expected.forward(kernels::attention_forward_reference, reference_scratch.data());
  actual.forward(table.attention_forward, scratch.data());
  const auto largest = [](const std::vector<float>& a, const std::vector<float>& b) {
    double error = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
      if (std::isnan(difference)) return difference;
      error = std::max(error, difference / (1.0 + std::fabs(static_cast<double>(b[i]))));
    }
    return error;
  };
  if (problem.pass != Pass::kBackward) return largest(actual.out, expected.out);
  expected.backward(kernels::attention_backward_reference, reference_scratch.data());
  actual.backward(table.attention_backward, scratch.data());
  return largest(actual.gradient, expected.gradient);
}

void run(benchmark::State& state, const KernelTable& table, const Problem& problem,
         const kernels::Roofs& roofs) {
  // Outputs are averages of values in +-2 and gradients sums of a few such: 1e-4 is what the
  // contract's bound comes to.
  const double error = error_of_first_head(table, problem);
  if (!(error < 1e-4)) {
    state.SkipWithError("disagrees with the reference and is not timed");
    return;
  }
  constexpr std::size_t kBeyondCaches = std::size_t{96} << 20;
  const kernels::Work work = problem.work();
  const auto in_flight = static_cast<std::size_t>(work.read_bytes + work.written_bytes) + 1;
  const std::size_t count =
      problem.hot ? 1 : std::min<std::size_t>(kBeyondCaches / in_flight + 1, 64);
  std::vector<Sequence> sequences(count, Sequence(problem));
  std::vector<float> scratch(table.attention_scratch(problem.shape()));
  for (Sequence& sequence : sequences) sequence.forward(table.attention_forward, scratch.data());
  std::size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    Sequence& sequence = sequences[next];
    next = next + 1 == count ? 0 : next + 1;
    if (problem.pass == Pass::kBackward)
      sequence.backward(table.attention_backward, scratch.data());
    else
      sequence.forward(table.attention_forward, scratch.data());
    benchmark::ClobberMemory();
  }
  report(state, roofs, {table.isa, 1, work, error});
  constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["%fma"] =
      benchmark::Counter(100e-9 * work.flops / roofs.peak(table.isa, 1, false), kRate);
}

}  // namespace

void register_attention_benchmarks(const kernels::Roofs& roofs) {
  constexpr Problem kProblems[] = {
      {Pass::kForward, 1024, 64, 12, false}, {Pass::kForward, 1024, 64, 12, true},
      {Pass::kForward, 256, 32, 8, false},   {Pass::kForward, 256, 32, 8, true},
      {Pass::kForward, 128, 64, 12, false},  {Pass::kBackward, 1024, 64, 12, false},
      {Pass::kBackward, 256, 32, 8, false},  {Pass::kBackward, 256, 32, 8, true},
      {Pass::kDecode, 1024, 64, 12, false},  {Pass::kDecode, 1024, 64, 12, true},
      {Pass::kDecode, 256, 32, 8, false},
  };
  for (const KernelTable* table : kernels::supported_kernels())
    for (const Problem& problem : kProblems)
      benchmark::RegisterBenchmark(problem.name(table->isa).c_str(), [table, problem, &roofs](
                                                                         benchmark::State& state) {
        run(state, *table, problem, roofs);
      })->Unit(benchmark::kMicrosecond);
}

}  // namespace glassgpt::bench
