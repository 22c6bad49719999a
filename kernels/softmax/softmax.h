#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y = exp(x - max) / sum per row; y may be x. A row of only -inf gives zeros.
using SoftmaxFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                       float* y, std::size_t y_stride) noexcept;
// d_x = y * (d_y - dot(y, d_y)) per row; d_x may be d_y.
using SoftmaxBackwardFn = void(std::size_t rows, std::size_t cols, const float* y,
                               std::size_t y_stride, const float* d_y, std::size_t d_y_stride,
                               float* d_x, std::size_t d_x_stride) noexcept;
SoftmaxFn softmax_reference;
SoftmaxBackwardFn softmax_backward_reference;
}  // namespace glassgpt::kernels
