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
      [x](SquareSum<Arch>& a, std::size_t i, auto span) noexcept { a.add(span.load(x + i)); });
  return Simd<Arch>::reduce_sum(sum.low + sum.high);
}

// Eight rows at a time: as many streams as the hardware prefetches at once, and y is read and
// written once for all of them.
inline constexpr std::size_t kColumnSumRows = 8;

template <class Arch>
void column_sum_simd(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                     float* y) noexcept {
  std::size_t r = 0;
  for (; r + kColumnSumRows <= rows; r += kColumnSumRows) {
    const float* block = x + r * x_stride;
    for_each_vector<Arch>(cols, [=](std::size_t c, auto span) noexcept {
      F32Of<Arch> sum = span.load(block + c);
      for (std::size_t k = 1; k < kColumnSumRows; ++k)
        sum = sum + span.load(block + k * x_stride + c);
      span.store(y + c, span.load(y + c) + sum);
    });
  }
  for (; r < rows; ++r) add_simd<Arch>(cols, y, x + r * x_stride, y);
}

}  // namespace
}  // namespace glassgpt::kernels
