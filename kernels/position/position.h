// Sinusoidal positions.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[t, 2i] = sin(angle), y[t, 2i + 1] = cos(angle), angle = (first + t) / 10000^(2i /
//   cols) in radians. An odd cols leaves out the last cosine.
// Pointers: y: [rows, cols], rows y_stride floats apart.
// Aliasing: nothing to alias.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. There is no NaN to come in or go out.
// Error: no sums. Angle and its reduction in double, sine and cosine in float: within 1e-7
//   absolutely for positions up to 10^6; beyond, the angle's own rounding (10^-16 of it) is added.
//   A row's bytes depend on its position, cols and the ISA alone.
// Cost: about 30 FLOPs and 4 bytes per element, and a power per two columns and call.
// Source: Vaswani et al. 2017, section 3.5; the reduction of Cody and Waite 1980, chapter 8.
// Test: tests/kernels/position_test.cpp. Benchmark: sinusoidal_positions/ in
//   bench/elementwise_bench.cpp.
using SinusoidalPositionsFn = void(std::size_t rows, std::size_t cols, std::size_t first, float* y,
                                   std::size_t y_stride) noexcept;

SinusoidalPositionsFn sinusoidal_positions_reference;

}  // namespace glassgpt::kernels
