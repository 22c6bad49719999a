// Layer norm of rows, and its gradients with respect to the input and to the parameters.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y = (x - mean) * rstd * gamma + beta per row, mean = sum(x) / C, rstd = 1 / sqrt(sum((x
//   - mean)^2) / C + epsilon).
// Pointers: x, y: [rows, cols = C], rows x_stride and y_stride floats apart; gamma, beta: [cols];
//   mean, rstd: [rows] outputs for the backward functions, each may be null.
// Aliasing: y may be x with the same stride; no other overlap.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. A NaN or infinity in a row gives NaN in
//   the whole row. A constant row gives beta. Deviations from the mean must stay below 1e19 /
//   sqrt(C), lest their squares overflow.
// Error: two passes, never E[x^2] - mean^2. Sums run in float by four vectors in turn; the second
//   pass also sums what the mean was wrong by, so that rows far from zero keep full accuracy. With
//   chain = 6 + C / (4 lanes): rstd within chain 2^-24 of itself, y within 2^-24 ((4 + chain)
//   (|x_hat gamma| + 1) + 2 |y|). A row's bytes depend on its values, its length and the ISA alone.
// Cost: 9 FLOPs per element; 8 bytes per element when the row stays in the cache (it is read
//   thrice).
// Source: Ba, Kiros and Hinton 2016, equation 4; the corrected two-pass variance of Chan, Golub and
//   LeVeque 1983, equation 1.7.
// Test: tests/kernels/layernorm_test.cpp. Benchmark: layer_norm/ in bench/elementwise_bench.cpp.
using LayerNormFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                         const float* gamma, const float* beta, float epsilon, float* y,
                         std::size_t y_stride, float* mean, float* rstd) noexcept;

// Purpose: d_x += rstd (g - sum(g) / C - x_hat sum(g x_hat) / C) per row, g = d_y * gamma, x_hat =
//   (x - mean) * rstd.
// Pointers: d_y, x, d_x: [rows, cols = C] with their strides in floats; gamma: [cols]; mean, rstd:
//   [rows], the forward's.
// Aliasing: d_x must not overlap anything else.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. A NaN or infinity in a row of an input
//   gives NaN in that row.
// Error: sums as in the forward function; with chain as there, each element is within 2^-24 (rstd
//   (5 |g| + chain (1 + |x_hat|) mean(|g| + 3 |g x_hat|)) + |d_x before| + |d_x after|).
// Cost: 14 FLOPs and 16 bytes per element (d_x is read and written).
// Source: Ba, Kiros and Hinton 2016, equation 4, differentiated.
// Test: tests/kernels/layernorm_test.cpp. Benchmark: layer_norm_backward/ in
//   bench/elementwise_bench.cpp.
using LayerNormBackwardFn = void(std::size_t rows, std::size_t cols, const float* d_y,
                                 std::size_t d_y_stride, const float* x, std::size_t x_stride,
                                 const float* gamma, const float* mean, const float* rstd,
                                 float* d_x, std::size_t d_x_stride) noexcept;

// Purpose: d_gamma[c] += sum_r d_y[r, c] x_hat[r, c] and d_beta[c] += sum_r d_y[r, c].
// Pointers: d_y, x: [rows, cols] with their strides in floats; mean, rstd: [rows]; d_gamma, d_beta:
//   [cols].
// Aliasing: the outputs must not overlap anything else.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. A NaN or infinity reaches the sums of its
//   own column, one in mean or rstd those of all columns.
// Error: float, rows in ascending order, 32 of them summed before they are added to the output:
//   each element is within 2^-24 (36 + rows / 32) times the sum of its terms' absolute values.
//   Columns do not meet, so a caller splits work by columns (offset d_y, x, d_gamma, d_beta) and
//   the bytes do not depend on threads.
// Cost: 5 FLOPs and 8 bytes per element of d_y.
// Source: Ba, Kiros and Hinton 2016, equation 4, differentiated.
// Test: tests/kernels/layernorm_test.cpp. Benchmark: layer_norm_backward_parameters/ in
//   bench/elementwise_bench.cpp.
using LayerNormBackwardParametersFn = void(std::size_t rows, std::size_t cols, const float* d_y,
                                           std::size_t d_y_stride, const float* x,
                                           std::size_t x_stride, const float* mean,
                                           const float* rstd, float* d_gamma,
                                           float* d_beta) noexcept;

LayerNormFn layer_norm_reference;
LayerNormBackwardFn layer_norm_backward_reference;
LayerNormBackwardParametersFn layer_norm_backward_parameters_reference;

}  // namespace glassgpt::kernels
