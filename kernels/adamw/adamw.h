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
// Loshchilov and Hutter 2019, algorithm 2: decoupled weight decay.
using AdamWFn = void(std::size_t n, float* parameters, const float* gradients, float* moment1,
                     float* moment2, const AdamWStep& step) noexcept;
AdamWFn adamw_reference;
}  // namespace glassgpt::kernels
