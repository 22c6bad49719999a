#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y[i] = gelu(x[i]); y may be x.
using GeluFn = void(std::size_t n, const float* x, float* y) noexcept;
// d_x[i] = d_y[i] * gelu'(x[i]); d_x may be d_y.
using GeluBackwardFn = void(std::size_t n, const float* x, const float* d_y, float* d_x) noexcept;
GeluFn gelu_tanh_reference;
GeluFn gelu_erf_reference;
GeluBackwardFn gelu_tanh_backward_reference;
GeluBackwardFn gelu_erf_backward_reference;
}  // namespace glassgpt::kernels
