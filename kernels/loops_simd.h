// The two traversals that the kernels are written in: every vector of a range, and sums over a
// range.
//
// A body sees a span: `Whole` for a full vector, `Part` for the tail, with the same load and store.
// One body serves both, so a tail element goes through the arithmetic of every other element and
// nothing beyond the range is touched.
#pragma once

#include "kernels/simd.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
using F32Of = typename Simd<Arch>::F32;

template <class Arch>
struct Whole {
  F32Of<Arch> load(const float* p, float = 0.0f) const noexcept { return Simd<Arch>::load(p); }
  void store(float* p, F32Of<Arch> v) const noexcept { Simd<Arch>::store(p, v); }
};

template <class Arch>
struct Part {
  std::size_t count;
  // Lanes beyond the range read as `fill`.
  F32Of<Arch> load(const float* p, float fill = 0.0f) const noexcept {
    return Simd<Arch>::load_partial(p, count, fill);
  }
  void store(float* p, F32Of<Arch> v) const noexcept { Simd<Arch>::store_partial(p, v, count); }
};

// f(i, span) for each vector that begins at element i of [0, n).
template <class Arch, class F>
inline void for_each_vector(std::size_t n, F f) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, Whole<Arch>{});
  if (i < n) f(i, Part<Arch>{n - i});
}

// y[i] = f(x[i])
template <class Arch, class F>
inline void map_vector(std::size_t n, const float* x, float* y, F f) noexcept {
  for_each_vector<Arch>(
      n, [=](std::size_t i, auto span) noexcept { span.store(y + i, f(span.load(x + i))); });
}

// y[i] = f(a[i], b[i])
template <class Arch, class F>
inline void map_vector(std::size_t n, const float* a, const float* b, float* y, F f) noexcept {
  for_each_vector<Arch>(n, [=](std::size_t i, auto span) noexcept {
    span.store(y + i, f(span.load(a + i), span.load(b + i)));
  });
}

// The accumulator with which vector number i of a range meets four others: enough to hide the
// latency of an addition, and a shorter chain of roundings. The order depends on n and the ISA
// alone. Accumulator needs a merge(); f(accumulator, i, span).
template <class Arch, class Accumulator, class F>
inline Accumulator accumulate(std::size_t n, Accumulator start, F f) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  Accumulator a0 = start, a1 = start, a2 = start, a3 = start;
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    f(a0, i, Whole<Arch>{});
    f(a1, i + kLanes, Whole<Arch>{});
    f(a2, i + 2 * kLanes, Whole<Arch>{});
    f(a3, i + 3 * kLanes, Whole<Arch>{});
  }
  for (; i + kLanes <= n; i += kLanes) f(a0, i, Whole<Arch>{});
  if (i < n) f(a1, i, Part<Arch>{n - i});
  a0.merge(a1);
  a2.merge(a3);
  a0.merge(a2);
  return a0;
}

template <class Arch>
struct Sum {
  F32Of<Arch> value = Simd<Arch>::set(0.0f);
  void merge(const Sum& other) noexcept { value = value + other.value; }
  float total() const noexcept { return Simd<Arch>::reduce_sum(value); }
};

template <class Arch>
struct SumPair {
  F32Of<Arch> first = Simd<Arch>::set(0.0f);
  F32Of<Arch> second = Simd<Arch>::set(0.0f);
  void merge(const SumPair& other) noexcept {
    first = first + other.first;
    second = second + other.second;
  }
};

}  // namespace
}  // namespace glassgpt::kernels
