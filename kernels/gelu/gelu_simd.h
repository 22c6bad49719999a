#pragma once

#include "kernels/gelu/gelu.h"
#include "kernels/math_simd.h"

namespace glassgpt::kernels {
namespace {

inline constexpr float kGeluCubic = 0.044715f;
inline constexpr float k2Sqrt2OverPi = 1.59576912f;         // 2 sqrt(2 / pi)
inline constexpr float k2Sqrt2OverPiCubic = 0.0713548163f;  // 2 sqrt(2 / pi) * 0.044715
inline constexpr float kInvSqrt2Pi = 0.398942280f;          // 1 / sqrt(2 pi)
inline constexpr float kGeluTanhFlat = 16.0f;  // beyond it gelu is 0 or x, and its slope 0 or 1

// e^(-2 |u|), u = sqrt(2 / pi) (v + 0.044715 v^3): what both sides of the tanh gate are made of.
template <class Arch>
inline F32Of<Arch> gelu_tanh_exponential(F32Of<Arch> v) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> slope = S::fma(S::set(-k2Sqrt2OverPiCubic), v * v, S::set(-k2Sqrt2OverPi));
  return exp_vector<Arch>(S::abs(v) * slope);
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
  const F32Of<Arch> zero = S::set(0.0f);
  const F32Of<Arch> a = S::min(S::set(kNormalTailEnd), S::abs(x));
  const F32Of<Arch> tail = exp_minus_half_square<Arch>(a) * normal_tail_ratio<Arch>(a);
  return S::fma(-a, tail, S::max(x, zero));
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
  const F32Of<Arch> d_2u = S::fma(S::set(3.0f * k2Sqrt2OverPiCubic), v * v, S::set(k2Sqrt2OverPi));
  return S::fma(v * d_2u, e * (inverse * inverse), gate);
}

// Forward: y = x Phi(x), so y' = Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi).
template <class Arch>
inline F32Of<Arch> gelu_erf_slope_vector(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> a = S::min(S::set(kNormalTailEnd), S::abs(x));
  const F32Of<Arch> e = exp_minus_half_square<Arch>(a);
  // For x >= 0 with c = tail - a phi: 1 - c; for x < 0: c.
  const F32Of<Arch> c = e * S::fma(-a, S::set(kInvSqrt2Pi), normal_tail_ratio<Arch>(a));
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
