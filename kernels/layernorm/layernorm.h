#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y = (x - mean) * rstd * gamma + beta per row; mean and rstd are [rows] and may be null. y may be x.
using LayerNormFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                         const float* gamma, const float* beta, float epsilon, float* y,
                         std::size_t y_stride, float* mean, float* rstd) noexcept;
// d_x += gradient through the row; d_x must not alias d_y or x.
using LayerNormBackwardFn = void(std::size_t rows, std::size_t cols, const float* d_y,
                                 std::size_t d_y_stride, const float* x, std::size_t x_stride,
                                 const float* gamma, const float* mean, const float* rstd,
                                 float* d_x, std::size_t d_x_stride) noexcept;
// d_gamma += sum_rows d_y * x_hat, d_beta += sum_rows d_y, rows in ascending order. A caller splits work by columns
// (offset d_y, x, d_gamma, d_beta), so the order of the sums never depends on threads.
using LayerNormBackwardParametersFn = void(std::size_t rows, std::size_t cols, const float* d_y,
                                           std::size_t d_y_stride, const float* x,
                                           std::size_t x_stride, const float* mean,
                                           const float* rstd, float* d_gamma,
                                           float* d_beta) noexcept;
LayerNormFn layer_norm_reference;
LayerNormBackwardFn layer_norm_backward_reference;
LayerNormBackwardParametersFn layer_norm_backward_parameters_reference;
}  // namespace glassgpt::kernels
