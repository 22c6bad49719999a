#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y[t, 2i] = sin((first + t) / 10000^(2i/cols)), y[t, 2i+1] = cos(same): Vaswani et al. 2017, section 3.5.
using SinusoidalPositionsFn = void(std::size_t rows, std::size_t cols, std::size_t first, float* y,
                                   std::size_t y_stride) noexcept;
SinusoidalPositionsFn sinusoidal_positions_reference;
}  // namespace glassgpt::kernels
