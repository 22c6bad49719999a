// Sums: of two arrays, of an array's squares, of a matrix's rows.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[i] = a[i] + b[i].
// Pointers: a, b, y: [n] floats, contiguous.
// Aliasing: y may be a or b; no other overlap.
// Alignment: none required.
// Special values: n == 0 touches nothing. NaN and infinities as in IEEE 754.
// Error: each sum rounded once; all ISAs give the same bytes.
// Cost: n FLOPs, 12 n bytes.
// Source: none needed.
// Test: tests/kernels/vector_test.cpp. Benchmark: add/ in bench/elementwise_bench.cpp.
using AddFn = void(std::size_t n, const float* a, const float* b, float* y) noexcept;

// Purpose: the sum of x[i]^2.
// Pointers: x: [n] floats, contiguous.
// Aliasing: nothing to alias.
// Alignment: none required.
// Special values: 0 for n == 0. NaN gives NaN, an infinity (without NaN) gives inf. Squares of
//   floats cannot overflow a double.
// Error: double accumulators; squares are exact, the sum is within (n / (4 lanes) + 8) 2^-53 of
//   itself. The order of additions depends on n and the ISA alone.
// Cost: 2 n FLOPs, 4 n bytes.
// Source: Higham 2002, section 4.2, for the bound.
// Test: tests/kernels/vector_test.cpp. Benchmark: sum_of_squares/ in bench/elementwise_bench.cpp.
using SumOfSquaresFn = double(std::size_t n, const float* x) noexcept;

// Purpose: y[c] += sum_r x[r, c], the gradient of a bias.
// Pointers: x: [rows, cols], rows x_stride floats apart; y: [cols].
// Aliasing: none.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. A NaN or infinity reaches its own
//   column's sum.
// Error: float, rows in ascending order, 32 of them summed before they are added to y: within 2^-24
//   (32 + rows / 32) times the sum of the terms' absolute values. Columns do not meet, so a caller
//   splits work by columns and the bytes do not depend on threads.
// Cost: 1 FLOP and 4 bytes per element of x.
// Source: Higham 2002, section 4.2 (blocked summation).
// Test: tests/kernels/vector_test.cpp. Benchmark: column_sum/ in bench/elementwise_bench.cpp.
using ColumnSumFn = void(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                         float* y) noexcept;

AddFn add_reference;
SumOfSquaresFn sum_of_squares_reference;
ColumnSumFn column_sum_reference;

}  // namespace glassgpt::kernels
