#pragma once

#include "kernels/math_simd.h"
#include "kernels/softmax/softmax.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
struct Maximum {
  F32Of<Arch> value = Simd<Arch>::set(-__builtin_inff());
  void merge(const Maximum& other) noexcept { value = Simd<Arch>::max(value, other.value); }
};

// The largest element; -inf for an empty row. Whether a NaN shows depends on where it is: callers
// must not rely on it.
template <class Arch>
inline float row_max(std::size_t n, const float* x) noexcept {
  const auto max = accumulate<Arch>(
      n, Maximum<Arch>{}, [x](Maximum<Arch>& m, std::size_t i, auto span) noexcept {
        m.value = Simd<Arch>::max(m.value, span.load(x + i, -__builtin_inff()));
      });
  return Simd<Arch>::reduce_max(max.value);
}

// sum of exp(x - max). Floats are added over short blocks and the blocks in double: the error does
// not grow with n. `keep` is called with each vector of exponentials and may store it; x may be
// overwritten by it.
template <class Arch, class Keep>
inline double exp_sum(std::size_t n, const float* x, float max, Keep keep) noexcept {
  constexpr std::size_t kBlock = 32 * Simd<Arch>::kLanes;
  const F32Of<Arch> shift = Simd<Arch>::set(max);
  double total = 0.0;
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const std::size_t count = n - begin < kBlock ? n - begin : kBlock;
    const auto sum =
        accumulate<Arch>(count, Sum<Arch>{}, [=](Sum<Arch>& s, std::size_t i, auto span) noexcept {
          // Lanes beyond the row hold -inf and add nothing.
          const F32Of<Arch> e =
              exp_below_overflow<Arch>(span.load(x + begin + i, -__builtin_inff()) - shift);
          keep(begin + i, span, e);
          s.value = s.value + e;
        });
    total += static_cast<double>(sum.total());
  }
  return total;
}

inline bool has_nan(std::size_t n, const float* x) noexcept {
  bool found = false;
  for (std::size_t i = 0; i < n; ++i) found = found || x[i] != x[i];
  return found;
}

// Rows up to this length can stream: their exponentials wait here and not in the result, which
// would bring it into the caches.
inline constexpr std::size_t kStreamedRow = 8192;

template <class Arch>
void softmax_simd(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                  float* y, std::size_t y_stride) noexcept {
  const bool stream = cols <= kStreamedRow && y != x && streams(rows * cols);
  alignas(64) float aside[kStreamedRow];
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x_row = x + r * x_stride;
    const float* next = row_ahead(x, x_stride, r, rows, cols);
    float* y_row = y + r * y_stride;
    const float max = row_max<Arch>(cols, x_row);
    if (max == -__builtin_inff() && !has_nan(cols, x_row)) {
      // Fully masked: -inf - -inf would be NaN.
      for_each_vector<Arch>(cols, [y_row](std::size_t i, auto span) noexcept {
        span.store(y_row + i, Simd<Arch>::set(0.0f));
      });
      continue;
    }
    float* exponentials = stream ? aside : y_row;
    const double sum = exp_sum<Arch>(
        cols, x_row, max, [exponentials, next](std::size_t i, auto span, F32Of<Arch> e) noexcept {
          ask_for<Arch>(next + i);
          span.store(exponentials + i, e);
        });
    const F32Of<Arch> factor = Simd<Arch>::set(static_cast<float>(1.0 / sum));
    write_row<Arch>(stream, cols, y_row, [=](std::size_t i, auto span) noexcept {
      span.store(y_row + i, span.load(exponentials + i) * factor);
    });
  }
  if (stream) Simd<Arch>::fence();
}

// Forward: y = exp(x - max) / sum, whose Jacobian is diag(y) - y y^T.
template <class Arch>
void softmax_backward_simd(std::size_t rows, std::size_t cols, const float* y, std::size_t y_stride,
                           const float* d_y, std::size_t d_y_stride, float* d_x,
                           std::size_t d_x_stride) noexcept {
  const bool stream = d_x != y && d_x != d_y && streams(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* y_row = y + r * y_stride;
    const float* d_y_row = d_y + r * d_y_stride;
    float* d_x_row = d_x + r * d_x_stride;
    const float* next_y = row_ahead(y, y_stride, r, rows, cols);
    const float* next_d_y = row_ahead(d_y, d_y_stride, r, rows, cols);
    const auto dot =
        accumulate<Arch>(cols, Sum<Arch>{}, [=](Sum<Arch>& s, std::size_t i, auto span) noexcept {
          s.value = Simd<Arch>::fma(span.load(y_row + i), span.load(d_y_row + i), s.value);
        });
    const F32Of<Arch> mean = Simd<Arch>::set(dot.total());
    write_row<Arch>(stream, cols, d_x_row, [=](std::size_t i, auto span) noexcept {
      ask_for<Arch>(next_y + i);
      ask_for<Arch>(next_d_y + i);
      span.store(d_x_row + i, span.load(y_row + i) * (span.load(d_y_row + i) - mean));
    });
  }
  if (stream) Simd<Arch>::fence();
}

}  // namespace
}  // namespace glassgpt::kernels
