#pragma once

#include "kernels/layernorm/layernorm.h"
#include "kernels/loops_simd.h"

namespace glassgpt::kernels {
namespace {

// x_hat = (x - shift) * rstd + offset. `shift` is the mean as first summed; what it missed by is
// known after the second pass and sits in `offset`, so that a row far from zero loses nothing to
// the rounding of its mean.
struct RowStatistics {
  float shift, rstd, offset;
  float mean;
};

template <class Arch>
inline RowStatistics row_statistics(std::size_t n, const float* x, float epsilon) noexcept {
  using S = Simd<Arch>;
  const auto count = static_cast<double>(n);
  const auto sum =
      accumulate<Arch>(n, Sum<Arch>{}, [x](Sum<Arch>& s, std::size_t i, auto span) noexcept {
        s.value = s.value + span.load(x + i);
      });
  const auto shift = static_cast<float>(static_cast<double>(sum.total()) / count);

  const F32Of<Arch> centre = S::set(shift);
  const auto sums = accumulate<Arch>(
      n, SumPair<Arch>{}, [x, centre, shift](SumPair<Arch>& s, std::size_t i, auto span) noexcept {
        const F32Of<Arch> d = span.load(x + i, shift) - centre;
        s.first = s.first + d;
        s.second = S::fma(d, d, s.second);
      });
  const double missed = static_cast<double>(S::reduce_sum(sums.first)) / count;
  const double variance = static_cast<double>(S::reduce_sum(sums.second)) / count - missed * missed;
  const double rstd = 1.0 / __builtin_sqrt(variance + static_cast<double>(epsilon));
  return {shift, static_cast<float>(rstd), static_cast<float>(-missed * rstd),
          static_cast<float>(static_cast<double>(shift) + missed)};
}

template <class Arch>
void layer_norm_simd(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                     const float* gamma, const float* beta, float epsilon, float* y,
                     std::size_t y_stride, float* mean, float* rstd) noexcept {
  using S = Simd<Arch>;
  if (cols == 0) return;
  const bool stream = y != x && streams(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x_row = x + r * x_stride;
    const float* next = row_ahead(x, x_stride, r, rows, cols);
    float* y_row = y + r * y_stride;
    const RowStatistics row = row_statistics<Arch>(cols, x_row, epsilon);
    const F32Of<Arch> shift = S::set(row.shift);
    const F32Of<Arch> scale = S::set(row.rstd);
    const F32Of<Arch> offset = S::set(row.offset);
    write_row<Arch>(stream, cols, y_row, [=](std::size_t c, auto span) noexcept {
      ask_for<Arch>(next + c);
      const F32Of<Arch> x_hat = S::fma(span.load(x_row + c) - shift, scale, offset);
      span.store(y_row + c, S::fma(x_hat, span.load(gamma + c), span.load(beta + c)));
    });
    if (mean != nullptr) mean[r] = row.mean;
    if (rstd != nullptr) rstd[r] = row.rstd;
  }
  if (stream) S::fence();
}

// Forward: x_hat = (x - mean) * rstd, y = x_hat * gamma + beta. With g = d_y * gamma: d_x += rstd *
// (g - mean(g) - x_hat * mean(g * x_hat)).
template <class Arch>
void layer_norm_backward_simd(std::size_t rows, std::size_t cols, const float* d_y,
                              std::size_t d_y_stride, const float* x, std::size_t x_stride,
                              const float* gamma, const float* mean, const float* rstd, float* d_x,
                              std::size_t d_x_stride) noexcept {
  using S = Simd<Arch>;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* d_y_row = d_y + r * d_y_stride;
    const float* x_row = x + r * x_stride;
    float* d_x_row = d_x + r * d_x_stride;
    const float* next_d_y = row_ahead(d_y, d_y_stride, r, rows, cols);
    const float* next_x = row_ahead(x, x_stride, r, rows, cols);
    const float* next_d_x = row_ahead(d_x, d_x_stride, r, rows, cols);
    const F32Of<Arch> row_mean = S::set(mean[r]);
    const F32Of<Arch> row_rstd = S::set(rstd[r]);

    const auto sums = accumulate<Arch>(
        cols, SumPair<Arch>{}, [=](SumPair<Arch>& s, std::size_t c, auto span) noexcept {
          const F32Of<Arch> g = span.load(d_y_row + c) * span.load(gamma + c);
          s.first = s.first + g;
          s.second = S::fma(g, (span.load(x_row + c) - row_mean) * row_rstd, s.second);
        });
    const auto scale = static_cast<double>(rstd[r]) / static_cast<double>(cols);
    const F32Of<Arch> minus_g =
        S::set(static_cast<float>(-scale * static_cast<double>(S::reduce_sum(sums.first))));
    const F32Of<Arch> minus_g_x_hat =
        S::set(static_cast<float>(-scale * static_cast<double>(S::reduce_sum(sums.second))));

    for_each_vector<Arch>(cols, [=](std::size_t c, auto span) noexcept {
      ask_for<Arch>(next_d_y + c);
      ask_for<Arch>(next_x + c);
      ask_for<Arch>(next_d_x + c);
      const F32Of<Arch> g = span.load(d_y_row + c) * span.load(gamma + c);
      const F32Of<Arch> x_hat = (span.load(x_row + c) - row_mean) * row_rstd;
      const F32Of<Arch> d = S::fma(g, row_rstd, S::fma(x_hat, minus_g_x_hat, minus_g));
      span.store(d_x_row + c, span.load(d_x_row + c) + d);
    });
  }
}

// Rows are read one behind the other, as memory likes it, into sums that stay in the first-level
// cache; every 32 rows these are added to the outputs, so that roundings do not pile up along all
// rows.
inline constexpr std::size_t kParameterColumns = 512;
inline constexpr std::size_t kParameterRows = 32;

// Forward: y = x_hat * gamma + beta, so d_gamma += sum_rows d_y * x_hat and d_beta += sum_rows d_y.
template <class Arch>
void layer_norm_backward_parameters_simd(std::size_t rows, std::size_t cols, const float* d_y,
                                         std::size_t d_y_stride, const float* x,
                                         std::size_t x_stride, const float* mean, const float* rstd,
                                         float* d_gamma, float* d_beta) noexcept {
  using S = Simd<Arch>;
  alignas(64) float gamma_sums[kParameterColumns];
  alignas(64) float beta_sums[kParameterColumns];
  const auto flush = [](std::size_t count, float* sums, float* total) noexcept {
    for_each_vector<Arch>(count, [=](std::size_t c, auto span) noexcept {
      span.store(total + c, span.load(total + c) + span.load(sums + c));
      span.store(sums + c, S::set(0.0f));
    });
  };
  for (std::size_t begin = 0; begin < cols; begin += kParameterColumns) {
    const std::size_t left = cols - begin;
    const std::size_t count = left < kParameterColumns ? left : kParameterColumns;
    for (std::size_t c = 0; c < count; ++c) gamma_sums[c] = beta_sums[c] = 0.0f;
    for (std::size_t r = 0; r < rows; ++r) {
      const float* d_y_row = d_y + r * d_y_stride + begin;
      const float* x_row = x + r * x_stride + begin;
      const float* next_d_y = row_ahead(d_y, d_y_stride, r, rows, count) + begin;
      const float* next_x = row_ahead(x, x_stride, r, rows, count) + begin;
      const F32Of<Arch> row_mean = S::set(mean[r]);
      const F32Of<Arch> row_rstd = S::set(rstd[r]);
      for_each_vector<Arch>(count, [=, &gamma_sums, &beta_sums](std::size_t c, auto span) noexcept {
        ask_for<Arch>(next_d_y + c);
        ask_for<Arch>(next_x + c);
        const F32Of<Arch> d = span.load(d_y_row + c);
        const F32Of<Arch> x_hat = (span.load(x_row + c) - row_mean) * row_rstd;
        span.store(gamma_sums + c, S::fma(d, x_hat, span.load(gamma_sums + c)));
        span.store(beta_sums + c, span.load(beta_sums + c) + d);
      });
      if ((r + 1) % kParameterRows != 0 && r + 1 != rows) continue;
      flush(count, gamma_sums, d_gamma + begin);
      flush(count, beta_sums, d_beta + begin);
    }
  }
}

}  // namespace
}  // namespace glassgpt::kernels
