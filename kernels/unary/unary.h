#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y[i] = f(x[i]); y may be x.
using UnaryFn = void(std::size_t n, const float* x, float* y) noexcept;
UnaryFn exp_reference;
UnaryFn tanh_reference;
UnaryFn erf_reference;
}  // namespace glassgpt::kernels
