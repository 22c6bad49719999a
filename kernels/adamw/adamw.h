// One step of AdamW over an array of parameters.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

struct AdamWStep {
  float learning_rate;
  float beta1, beta2, epsilon;
  float weight_decay;
  float bias_correction1, bias_correction2;  // 1 - beta^step
  float gradient_scale;                      // 1 / accumulation and clipping, in one factor
};

// Purpose: g = gradient_scale * gradient; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2)
//   g^2; p -= learning_rate (m / bias_correction1 / (sqrt(v / bias_correction2) + epsilon) +
//   weight_decay p).
// Pointers: parameters p, gradients, moment1 m, moment2 v: [n] floats, contiguous; all but the
//   gradients are updated in place.
// Aliasing: none between the four arrays.
// Alignment: none required.
// Special values: n == 0 touches nothing. A NaN gradient reaches its own p, m and v only. |g| must
//   stay below 1e19, lest its square overflow (v is then inf and p does not move). With epsilon 0
//   and v 0 the update is NaN.
// Error: no sums. With M = |m before| + |g|: m within 2 * 2^-24 M, v within 2 ULP, p within 2^-24
//   (|p| + 8 learning_rate (1 + M / (sqrt(v) + 1e-8))). An element's bytes depend on its values and
//   the ISA alone, so work may be split anywhere.
// Cost: 15 FLOPs and 28 bytes per element, one pass.
// Source: Loshchilov and Hutter 2019, algorithm 2 (decoupled weight decay, its schedule multiplier
//   within learning_rate).
// Test: tests/kernels/adamw_test.cpp. Benchmark: adamw/ in bench/elementwise_bench.cpp.
using AdamWFn = void(std::size_t n, float* parameters, const float* gradients, float* moment1,
                     float* moment2, const AdamWStep& step) noexcept;

AdamWFn adamw_reference;

}  // namespace glassgpt::kernels
