#pragma once

#include "kernels/gelu/gelu.h"
#include "kernels/math_simd.h"

namespace glassgpt::kernels {
namespace {

inline constexpr float k2Sqrt2OverPi = 1.59576912f;              // 2 sqrt(2 / pi)
inline constexpr float k3Times2Sqrt2OverPiCubic = 0.214064449f;  // 3 * 0.044715 * 2 sqrt(2 / pi)
inline constexpr float kInvSqrt2Pi = 0.398942280f;               // 1 / sqrt(2 pi)
inline constexpr float kGeluTanhFlat = 16.0f;  // beyond it gelu is 0 or x, and its slope 0 or 1

// e^(-2 |u|), u = sqrt(2 / pi) (v + 0.044715 v^3): what both sides of the tanh gate are made of. As
// a power of 2, whose argument is reduced without rounding.
template <class Arch>
inline F32Of<Arch> gelu_tanh_exponential(F32Of<Arch> v) noexcept {
  using S = Simd<Arch>;
  constexpr float kLinear = -2.30220819f;  // -2 sqrt(2 / pi) / ln 2
  constexpr float kCubic = -0.102943240f;  // 0.044715 times that
  constexpr float kLeast = -152.0f;        // 2^x has become 0
  const F32Of<Arch> exponent = S::abs(v) * S::fma(S::set(kCubic), v * v, S::set(kLinear));
  return exp2_vector<Arch>(S::max(S::set(kLeast), exponent));
}

// x (1 + tanh(u)) / 2 = x / (1 + e^(-2u)), for negative u as x e^(2u) / (1 + e^(2u)): no form
// cancels, and e <= 1.
template <class Arch>
inline F32Of<Arch> gelu_tanh_vector(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> one = S::set(1.0f);
  const F32Of<Arch> v = S::max(S::set(-kGeluTanhFlat), x);  // -inf * 0 would be NaN
  const F32Of<Arch> e = gelu_tanh_exponential<Arch>(v);
  return v * S::select(v < S::set(0.0f), e, one) / (one + e);
}

// x Phi(x) = max(x, 0) - |x| tail(|x|), where tail(a) = 1 - Phi(a): for neither sign does the
// difference cancel.
template <class Arch>
inline F32Of<Arch> gelu_erf_vector(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> m = normal_tail_argument<Arch>(x);
  const F32Of<Arch> tail = exp_minus_half_square<Arch>(m) * normal_tail_ratio<Arch>(m);
  return S::fma(m, tail, S::max(S::set(0.0f), x));
}

// Forward: y = x gate(x), gate = 1 / (1 + e^(-2u)). With s = gate: y' = s + x s (1 - s) 2u', and s
// (1 - s) = e / (1 + e)^2.
template <class Arch>
inline F32Of<Arch> gelu_tanh_slope_vector(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> one = S::set(1.0f);
  const F32Of<Arch> v =
      S::min(S::set(kGeluTanhFlat), S::max(S::set(-kGeluTanhFlat), x));  // inf * 0 would be NaN
  const F32Of<Arch> e = gelu_tanh_exponential<Arch>(v);
  const F32Of<Arch> inverse = one / (one + e);
  const F32Of<Arch> gate = S::select(v < S::set(0.0f), e, one) * inverse;
  const F32Of<Arch> d_2u = S::fma(S::set(k3Times2Sqrt2OverPiCubic), v * v, S::set(k2Sqrt2OverPi));
  return S::fma(v * d_2u, e * (inverse * inverse), gate);
}

// Forward: y = x Phi(x), so y' = Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi).
template <class Arch>
inline F32Of<Arch> gelu_erf_slope_vector(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> m = normal_tail_argument<Arch>(x);
  const F32Of<Arch> e = exp_minus_half_square<Arch>(m);
  // For x >= 0 with c = tail(|x|) - |x| phi: 1 - c; for x < 0: c.
  const F32Of<Arch> c = e * S::fma(m, S::set(kInvSqrt2Pi), normal_tail_ratio<Arch>(m));
  return S::select(x > S::set(0.0f), S::set(1.0f) - c, c);
}

template <class Arch>
void gelu_tanh_simd(std::size_t n, const float* x, float* y) noexcept {
  map_vector<Arch>(n, x, y, [](F32Of<Arch> v) noexcept { return gelu_tanh_vector<Arch>(v); });
}

template <class Arch>
void gelu_erf_simd(std::size_t n, const float* x, float* y) noexcept {
  map_vector<Arch>(n, x, y, [](F32Of<Arch> v) noexcept { return gelu_erf_vector<Arch>(v); });
}

template <class Arch>
void gelu_tanh_backward_simd(std::size_t n, const float* x, const float* d_y, float* d_x) noexcept {
  map_vector<Arch>(n, x, d_y, d_x, [](F32Of<Arch> v, F32Of<Arch> d) noexcept {
    return d * gelu_tanh_slope_vector<Arch>(v);
  });
}

template <class Arch>
void gelu_erf_backward_simd(std::size_t n, const float* x, const float* d_y, float* d_x) noexcept {
  map_vector<Arch>(n, x, d_y, d_x, [](F32Of<Arch> v, F32Of<Arch> d) noexcept {
    return d * gelu_erf_slope_vector<Arch>(v);
  });
}

}  // namespace
}  // namespace glassgpt::kernels
