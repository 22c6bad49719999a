#pragma once

#include "kernels/loops_simd.h"
#include "kernels/similarity/similarity.h"

namespace glassgpt::kernels {
namespace {

// Between these a float sum of squares is as good as a double one; outside, squares overflow or
// vanish.
inline constexpr float kSquaresMin = 0x1p-80f;
inline constexpr float kSquaresMax = 0x1p+120f;

inline bool squares_in_range(float squares) noexcept {
  return squares >= kSquaresMin && squares <= kSquaresMax;
}

// For vectors whose squares leave float's range, and for zeros and NaN: rare, so plain.
inline float cosine_in_double(std::size_t n, const float* query, const float* x) noexcept {
  double dot = 0.0;
  double query_squares = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto q = static_cast<double>(query[i]);
    const auto v = static_cast<double>(x[i]);
    dot += q * v;
    query_squares += q * q;
    squares += v * v;
  }
  const double norms = __builtin_sqrt(query_squares) * __builtin_sqrt(squares);
  return norms == 0.0 ? 0.0f : static_cast<float>(dot / norms);
}

template <class Arch>
void cosine_similarity_simd(std::size_t rows, std::size_t cols, const float* query, const float* x,
                            std::size_t x_stride, float* cosine) noexcept {
  using S = Simd<Arch>;
  const float query_squares =
      accumulate<Arch>(cols, Sum<Arch>{}, [query](Sum<Arch>& s, std::size_t i, auto span) noexcept {
        const F32Of<Arch> q = span.load(query + i);
        s.value = S::fma(q, q, s.value);
      }).total();
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = x + r * x_stride;
    const float* next = row_ahead(x, x_stride, r, rows, cols);
    const auto sums = accumulate<Arch>(cols, SumPair<Arch>{},
                                       [=](SumPair<Arch>& s, std::size_t i, auto span) noexcept {
                                         ask_for<Arch>(next + i);
                                         const F32Of<Arch> v = span.load(row + i);
                                         s.first = S::fma(span.load(query + i), v, s.first);
                                         s.second = S::fma(v, v, s.second);
                                       });
    const float dot = S::reduce_sum(sums.first);
    const float squares = S::reduce_sum(sums.second);
    cosine[r] = squares_in_range(query_squares) && squares_in_range(squares)
                    ? static_cast<float>(static_cast<double>(dot) /
                                         (__builtin_sqrt(static_cast<double>(query_squares)) *
                                          __builtin_sqrt(static_cast<double>(squares))))
                    : cosine_in_double(cols, query, row);
  }
}

}  // namespace
}  // namespace glassgpt::kernels
