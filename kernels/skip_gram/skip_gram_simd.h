#pragma once

#include "kernels/loops_simd.h"
#include "kernels/math_simd.h"
#include "kernels/skip_gram/skip_gram.h"

namespace glassgpt::kernels {
namespace {

// sums[i] = the sum over the lanes of v[i], for `Count` vectors; writes whole vectors.
template <class Arch, std::size_t Count>
inline void sums_over_lanes(const F32Of<Arch> (&v)[Count], float* sums) noexcept {
  using S = Simd<Arch>;
  constexpr std::size_t kLanes = S::kLanes;
#pragma GCC unroll 16
  for (std::size_t begin = 0; begin < Count; begin += kLanes) {
    F32Of<Arch> group[kLanes];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kLanes; ++i) {
      group[i] = begin + i < Count ? v[begin + i] : S::set(0.0f);
    }
    S::store(sums + begin, S::reduce_sums(group));
  }
}

// The dot products of Rows inputs with all N outputs, [Rows, N], and a vector's length beyond them.
// The outputs' vectors are read once for all rows.
template <class Arch, std::size_t Rows, std::size_t N>
inline void skip_gram_dots(std::size_t cols, float* const* x, float* const* y,
                           float* dots) noexcept {
  using S = Simd<Arch>;
  F32Of<Arch> sums[Rows * N];
#pragma GCC unroll 16
  for (F32Of<Arch>& sum : sums) sum = S::set(0.0f);
  for_each_vector<Arch>(cols, [&](std::size_t i, auto span) noexcept {
    F32Of<Arch> left[Rows];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r) left[r] = span.load(x[r] + i);
#pragma GCC unroll 16
    for (std::size_t n = 0; n < N; ++n) {
      const F32Of<Arch> right = span.load(y[n] + i);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < Rows; ++r) {
        sums[r * N + n] = S::fma(left[r], right, sums[r * N + n]);
      }
    }
  });
  sums_over_lanes<Arch>(sums, dots);
}

// x_b += sum_n steps[b,n] y_n and y_n += sum_b steps[b,n] x_b: column by column, so that every row
// is read and written once and the values before need no copy.
template <class Arch, std::size_t N>
inline void skip_gram_update(std::size_t inputs, std::size_t cols, float* const* x, float* const* y,
                             const float* steps) noexcept {
  using S = Simd<Arch>;
  for_each_vector<Arch>(cols, [=](std::size_t i, auto span) noexcept {
    F32Of<Arch> before[N];
    F32Of<Arch> after[N];
#pragma GCC unroll 16
    for (std::size_t n = 0; n < N; ++n) after[n] = before[n] = span.load(y[n] + i);
    for (std::size_t b = 0; b < inputs; ++b) {
      const F32Of<Arch> old = span.load(x[b] + i);
      F32Of<Arch> sum = old;
#pragma GCC unroll 16
      for (std::size_t n = 0; n < N; ++n) {
        const F32Of<Arch> step = S::set(steps[b * N + n]);
        sum = S::fma(step, before[n], sum);
        after[n] = S::fma(step, old, after[n]);
      }
      span.store(x[b] + i, sum);
    }
#pragma GCC unroll 16
    for (std::size_t n = 0; n < N; ++n) span.store(y[n] + i, after[n]);
  });
}

template <class Arch, std::size_t N>
inline void skip_gram_step(std::size_t inputs, std::size_t cols, float* const* x, float* const* y,
                           bool first_is_true, float rate, float* errors) noexcept {
  using S = Simd<Arch>;
  constexpr std::size_t kRoom = kSkipGramInputs * kSkipGramOutputs + 16;
  alignas(64) float scores[kRoom];
  alignas(64) float steps[kRoom];
  std::size_t b = 0;
  for (; b + 2 <= inputs; b += 2) skip_gram_dots<Arch, 2, N>(cols, x + b, y, scores + b * N);
  if (b < inputs) skip_gram_dots<Arch, 1, N>(cols, x + b, y, scores + b * N);

  const std::size_t pairs = inputs * N;
  map_vector<Arch>(pairs, scores, scores, [](F32Of<Arch> s) noexcept {
    const F32Of<Arch> one = S::set(1.0f);
    return one / (one + exp_vector<Arch>(S::set(0.0f) - s));
  });
  if (first_is_true) {
    for (std::size_t i = 0; i < pairs; i += N) scores[i] -= 1.0f;
  }
  for_each_vector<Arch>(pairs, [&](std::size_t i, auto span) noexcept {
    const F32Of<Arch> error = span.load(scores + i);
    span.store(errors + i, error);
    span.store(steps + i, S::set(-rate) * error);
  });
  skip_gram_update<Arch, N>(inputs, cols, x, y, steps);
}

template <class Arch>
void skip_gram_simd(std::size_t inputs, std::size_t outputs, std::size_t cols, float* const* x,
                    float* const* y, bool first_is_true, float rate, float* errors) noexcept {
  static_assert(kSkipGramOutputs == 6);
  if (inputs == 0) return;
  switch (outputs) {
    case 1:
      return skip_gram_step<Arch, 1>(inputs, cols, x, y, first_is_true, rate, errors);
    case 2:
      return skip_gram_step<Arch, 2>(inputs, cols, x, y, first_is_true, rate, errors);
    case 3:
      return skip_gram_step<Arch, 3>(inputs, cols, x, y, first_is_true, rate, errors);
    case 4:
      return skip_gram_step<Arch, 4>(inputs, cols, x, y, first_is_true, rate, errors);
    case 5:
      return skip_gram_step<Arch, 5>(inputs, cols, x, y, first_is_true, rate, errors);
    case 6:
      return skip_gram_step<Arch, 6>(inputs, cols, x, y, first_is_true, rate, errors);
    default:
      return;
  }
}

}  // namespace
}  // namespace glassgpt::kernels
