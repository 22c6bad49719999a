#pragma once

#include "kernels/loops_simd.h"
#include "kernels/vector/vector.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
void add_simd(std::size_t n, const float* a, const float* b, float* y) noexcept {
  map_vector<Arch>(n, a, b, y, [](F32Of<Arch> u, F32Of<Arch> v) noexcept { return u + v; });
}

// The square of a float is exact in double, so only the additions round.
template <class Arch>
struct SquareSum {
  using F64 = typename Simd<Arch>::F64;
  F64 low = F64(0.0), high = F64(0.0);
  void add(F32Of<Arch> x) noexcept {
    const F64 x_low = Simd<Arch>::widen_low(x);
    const F64 x_high = Simd<Arch>::widen_high(x);
    low = low + x_low * x_low;
    high = high + x_high * x_high;
  }
  void merge(const SquareSum& other) noexcept {
    low = low + other.low;
    high = high + other.high;
  }
};

template <class Arch>
double sum_of_squares_simd(std::size_t n, const float* x) noexcept {
  const auto sum = accumulate<Arch>(
      n, SquareSum<Arch>{},
      [x](SquareSum<Arch>& a, std::size_t i, auto span) noexcept { a.add(span.load(x + i)); }, x);
  return Simd<Arch>::reduce_sum(sum.low + sum.high);
}

// Rows are read one behind the other, as memory likes it, into sums that stay in the first-level
// cache; every 32 rows these are added to y, so that roundings do not pile up along all rows.
inline constexpr std::size_t kSumColumns = 1024;
inline constexpr std::size_t kSumRows = 32;

template <class Arch>
void column_sum_simd(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                     float* y) noexcept {
  alignas(64) float sums[kSumColumns];
  for (std::size_t begin = 0; begin < cols; begin += kSumColumns) {
    const std::size_t count = cols - begin < kSumColumns ? cols - begin : kSumColumns;
    for (std::size_t r = 0; r < rows; r += kSumRows) {
      const std::size_t end = rows - r < kSumRows ? rows : r + kSumRows;
      const float* first = x + r * x_stride + begin;
      map_vector<Arch>(count, first, sums, [](F32Of<Arch> v) noexcept { return v; });
      for (std::size_t k = r + 1; k < end; ++k) {
        const float* row = x + k * x_stride + begin;
        const float* next = row_ahead(x, x_stride, k, rows, count) + begin;
        for_each_vector<Arch>(count, [=, &sums](std::size_t c, auto span) noexcept {
          ask_for<Arch>(next + c);
          span.store(sums + c, span.load(sums + c) + span.load(row + c));
        });
      }
      add_simd<Arch>(count, y + begin, sums, y + begin);
    }
  }
}

}  // namespace
}  // namespace glassgpt::kernels
