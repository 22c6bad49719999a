// One step of skip-gram with negative sampling: words of a window that share their targets.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// The most rows that one step takes: as many sums as registers hold.
inline constexpr std::size_t kSkipGramInputs = 16;
inline constexpr std::size_t kSkipGramOutputs = 6;

// Purpose: with p[b,n] = 1 / (1 + exp(-x_b . y_n)), and e[b,n] = p[b,n] - 1 for n == 0 where
//   `first_is_true`, else p[b,n]:
//   x_b -= rate sum_n e[b,n] y_n,  y_n -= rate sum_b e[b,n] x_b,  all from the values before.
// Pointers: x: [inputs] pointers to rows of [cols]; y: [outputs] pointers to rows of [cols];
//   errors: [inputs, outputs], gets e.
// Limits: inputs <= kSkipGramInputs, outputs <= kSkipGramOutputs.
// Aliasing: none: no row may stand twice, for each is written once.
// Alignment: none required; rows that begin on a cache line are read faster.
// Special values: inputs == 0 or outputs == 0 touches nothing; cols == 0 writes errors alone (p is
//   1/2). A NaN or an infinity that meets one of the other sign reaches every row of the step.
// Error: each dot product is a float sum, one per lane and then over lanes: within 2^-24 (10 + cols
//   / lanes) of the sum of its terms' absolute values. e is within 4 * 2^-24 of the formula at that
//   dot product (absolute). Each row's update is added term by term: within 2^-24 (terms + 2) of
//   the sum of their absolute values and the row's own. A step's bytes depend on its values and the
//   ISA alone.
// Cost: 6 inputs outputs cols FLOPs; 8 (inputs + outputs) cols bytes.
// Source: Mikolov et al. 2013 (NIPS), equation 4; the shared targets are those of Ji et al. 2016,
//   "Parallelizing Word2Vec in Shared and Distributed Memory", section III.
// Test: tests/kernels/skip_gram_test.cpp. Benchmark: skip_gram/ in bench/skip_gram_bench.cpp.
using SkipGramFn = void(std::size_t inputs, std::size_t outputs, std::size_t cols, float* const* x,
                        float* const* y, bool first_is_true, float rate, float* errors) noexcept;

SkipGramFn skip_gram_reference;

}  // namespace glassgpt::kernels
