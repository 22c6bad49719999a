// exp, tanh and erf over arrays: the functions that softmax, GELU, cross-entropy and attention are
// made of, by themselves, so that they can be held to their error over every float and be timed.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[i] = exp(x[i]), tanh(x[i]) or erf(x[i]) = 2 / sqrt(pi) * integral of e^(-t^2) from 0
//   to x[i].
// Pointers: x, y: [n] floats, contiguous.
// Aliasing: y may be x; no other overlap.
// Alignment: none required.
// Special values: n == 0 touches nothing. NaN gives NaN. exp(-inf) = 0, exp(inf) = inf, subnormal
//   results are rounded once, overflow is inf; tanh and erf of +-inf are +-1.
// Error: no sums. At most 1.02 ULP for exp (1.0095 seen), 1.5 for tanh and erf, over all 2^32
//   floats and on every ISA. An element's bytes depend on its value and the ISA alone.
// Cost: about 20 FLOPs per element for exp; 18 for tanh and 16 for erf on AVX-512, where tables
// give
//   each piece its polynomial, 30 and 60 elsewhere; 8 n bytes.
// Source: Cody and Waite 1980, chapters 6 and 13; Shepherd and Laframboise 1981 for erf's tail; the
//   pieces' polynomials: scripts/fit_pieces.py.
// Test: tests/kernels/unary_test.cpp (all floats: GLASSGPT_LONG_TESTS=1). Benchmark: exp/, tanh/,
//   erf/ in bench/elementwise_bench.cpp.
using UnaryFn = void(std::size_t n, const float* x, float* y) noexcept;

UnaryFn exp_reference;
UnaryFn tanh_reference;
UnaryFn erf_reference;

}  // namespace glassgpt::kernels
