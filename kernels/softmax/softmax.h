// Softmax of rows, forward and backward.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[r, c] = exp(x[r, c] - max_r) / sum_c exp(x[r, c] - max_r).
// Pointers: x: [rows, cols], rows x_stride floats apart; y: [rows, cols], rows y_stride apart.
// Aliasing: y may be x with the same stride; no other overlap.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. -inf (masked) gives 0; a row of only -inf
//   (fully masked) gives zeros. A row with a NaN or +inf gives NaN in every column.
// Error: exponentials are summed in float over blocks of 32 vectors and the blocks in double. Each
//   element is within 5 + (max - x) ULP: the difference x - max is rounded before exp sees it. A
//   row's bytes depend on its values, its length and the ISA alone.
// Cost: about 25 FLOPs per element; 8 bytes per element when the row stays in the cache (it is read
//   and written thrice).
// Source: Milakov and Gimelshein 2018, algorithm 2 (safe softmax).
// Test: tests/kernels/softmax_test.cpp. Benchmark: softmax/ in bench/elementwise_bench.cpp.
using SoftmaxFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                       float* y, std::size_t y_stride) noexcept;

// Purpose: d_x[r, c] = y[r, c] (d_y[r, c] - sum_k y[r, k] d_y[r, k]), overwriting d_x.
// Pointers: y (the forward function's result), d_y, d_x: [rows, cols] with their strides in floats.
// Aliasing: d_x may be d_y or y with the same stride; no other overlap.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. A NaN in a row of y or d_y gives NaN in
//   that row. A fully masked row (zeros in y) gives zeros.
// Error: the dot product is summed in float by four vectors in turn; with chain = 4 + cols / (4
//   lanes) each element is within 2^-24 y (3 |d_y - dot| + chain sum |y d_y|).
// Cost: 4 FLOPs and 12 bytes per element.
// Source: the Jacobian diag(y) - y y^T of Bridle 1990, section 3.
// Test: tests/kernels/softmax_test.cpp. Benchmark: softmax_backward/ in
//   bench/elementwise_bench.cpp.
using SoftmaxBackwardFn = void(std::size_t rows, std::size_t cols, const float* y,
                               std::size_t y_stride, const float* d_y, std::size_t d_y_stride,
                               float* d_x, std::size_t d_x_stride) noexcept;

SoftmaxFn softmax_reference;
SoftmaxBackwardFn softmax_backward_reference;

}  // namespace glassgpt::kernels
