#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y = a + b; y may be a or b.
using AddFn = void(std::size_t n, const float* a, const float* b, float* y) noexcept;
// sum of x[i]^2 in double, in a fixed order.
using SumOfSquaresFn = double(std::size_t n, const float* x) noexcept;
// y[c] += sum_r x[r, c], rows in ascending order; a caller splits work by columns.
using ColumnSumFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                         float* y) noexcept;
AddFn add_reference;
SumOfSquaresFn sum_of_squares_reference;
ColumnSumFn column_sum_reference;
}  // namespace glassgpt::kernels
