// The Gaussian error linear unit in its two common forms, forward and backward.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[i] = x Phi(x) with Phi the normal distribution function.
//   erf form:  y = x (1 + erf(x / sqrt(2))) / 2
//   tanh form: y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, GPT-2's, within 5e-4 of the
//     other.
// Pointers: x, y: [n] floats, contiguous.
// Aliasing: y may be x; no other overlap.
// Alignment: none required.
// Special values: n == 0 touches nothing. NaN gives NaN, inf gives inf, -inf gives 0 (either sign
//   of zero).
// Error: no sums. Over all floats and on every ISA, with |2u| = |2 sqrt(2 / pi) (x + 0.044715
//   x^3)|:
//   tanh form: 3 ULP for x >= 0; for x < 0 4 + 3 |2u| ULP, and 7e-8 absolutely.
//   erf form: 6 ULP for x >= -1; below 10 ULP, and 7e-8 absolutely for all x < 0. Where the result
//     is subnormal, 16 times 2^-149. An element's bytes depend on its value and the ISA alone, so
//     the same function in a matrix product's epilogue gives the same bytes.
// Cost: about 25 FLOPs per element for the tanh form; 35 for the erf form on AVX-512, 55 elsewhere;
//   8 n bytes.
// Source: Hendrycks and Gimpel 2016, section 2; Shepherd and Laframboise 1981 for the tail of Phi,
//   on AVX-512 scripts/fit_pieces.py.
// Test: tests/kernels/gelu_test.cpp (all floats: GLASSGPT_LONG_TESTS=1). Benchmark: gelu_tanh/,
//   gelu_erf/ in bench/elementwise_bench.cpp.
using GeluFn = void(std::size_t n, const float* x, float* y) noexcept;

// Purpose: d_x[i] = d_y[i] * y'(x[i]), overwriting d_x.
//   erf form:  y' = Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi)
//   tanh form: y' = s + x s (1 - s) 2u', s = (1 + tanh(u)) / 2, 2u' = 2 sqrt(2 / pi) (1 + 3 *
//     0.044715 x^2)
// Pointers: x, d_y, d_x: [n] floats, contiguous; x is the input of the forward function.
// Aliasing: d_x may be d_y or x; no other overlap.
// Alignment: none required.
// Special values: n == 0 touches nothing. NaN in x or d_y gives NaN. The slope is 1 at inf and 0 at
//   -inf.
// Error: no sums. The slope is within 2.5e-7 of the truth, absolutely: it lies between -0.13 and
//   1.13 and crosses zero near -0.75, where no relative bound can hold.
// Cost: about 35 FLOPs per element for the tanh form; 40 for the erf form on AVX-512, 60 elsewhere;
//   12 n bytes.
// Source: Hendrycks and Gimpel 2016, section 2, differentiated.
// Test: tests/kernels/gelu_test.cpp. Benchmark: gelu_tanh_backward/, gelu_erf_backward/ in
//   bench/elementwise_bench.cpp.
using GeluBackwardFn = void(std::size_t n, const float* x, const float* d_y, float* d_x) noexcept;

GeluFn gelu_tanh_reference;
GeluFn gelu_erf_reference;
GeluBackwardFn gelu_tanh_backward_reference;
GeluBackwardFn gelu_erf_backward_reference;

}  // namespace glassgpt::kernels
