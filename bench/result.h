// What every benchmark reports, in one form: the counters GFLOP/s, GB/s, %roof and max_error, and a
// label that says what the result is held against.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

#include "kernels/roofs/roofs.h"

namespace glassgpt::bench {

struct Result {
  std::string isa;  // whose peak it is held against
  int threads;
  kernels::Work work;  // of one iteration
  // The largest difference from the reference, in parts of what its rounding is relative to: the
  // sum of the terms' absolute values for a product, 1 + |expected| elsewhere.
  double max_error;
};

void report(benchmark::State& state, const kernels::Roofs& roofs, const Result& result);

// The suffix of a benchmark's name: "/2t" for two threads, "/hot" for inputs that stay in cache.
std::string variant(int threads, bool hot);

}  // namespace glassgpt::bench
