// exp, tanh and erf on vectors: the functions that softmax, GELU, cross-entropy and attention are
// made of.
//
// Each is a branch-free formula over whole vectors, so an element's result depends on its value and
// the ISA alone, never on its lane or on its neighbours. The polynomials are minimax fits (Remez
// exchange, relative error of the whole function); the comment beside each gives its error before
// rounding. NaN in, NaN out. Error bounds: unary/unary.h.
#pragma once

#include "kernels/loops_simd.h"
#include "kernels/pieces_simd.h"

namespace glassgpt::kernels {
namespace {

// c[0] + c[1] x + ... by Horner's rule.
template <class Arch, std::size_t N>
inline F32Of<Arch> polynomial(F32Of<Arch> x, const float (&c)[N]) noexcept {
  F32Of<Arch> sum = Simd<Arch>::set(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) sum = Simd<Arch>::fma(sum, x, Simd<Arch>::set(c[i]));
  return sum;
}

// |magnitude| with the sign bit of `sign`.
template <class Arch>
inline F32Of<Arch> copy_sign(F32Of<Arch> magnitude, F32Of<Arch> sign) noexcept {
  using S = Simd<Arch>;
  using I32 = typename S::I32;
  const I32 sign_bit = S::float_to_bits(sign) & S::float_to_bits(S::set(-0.0f));
  return S::bits_to_float(S::float_to_bits(magnitude) | sign_bit);
}

// exp(x) is infinite above this and rounds to zero below its counterpart; between them n below fits
// scale_by_power's range.
inline constexpr float kExpMax = 89.0f;
inline constexpr float kExpMin = -104.0f;

// x = n ln 2 + r with an integer n and |r| <= ln(2) / 2; then exp(x) = 2^n exp(r) (Cody and Waite
// 1980, chapter 6). ln 2 is split in two: the first part has nine bits, so that n times it is exact
// even without FMA.
template <class Arch>
inline F32Of<Arch> exp_integer(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  // Adding 1.5 * 2^23 rounds to the nearest integer.
  const F32Of<Arch> shift = S::set(0x1.8p23f);
  return S::fma(x, S::set(0x1.715476p+0f), shift) - shift;
}
template <class Arch>
inline F32Of<Arch> exp_remainder(F32Of<Arch> x, F32Of<Arch> n) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> r = S::fma(n, S::set(-0x1.63p-1f), x);
  return S::fma(n, S::set(0x1.bd0106p-13f), r);
}
template <class Arch>
inline F32Of<Arch> exp_compose(F32Of<Arch> n, F32Of<Arch> r) noexcept {
  // (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2, error of exp(r) 2^-28.2.
  constexpr float kCoefficients[] = {0x1.fffffcp-2f, 0x1.55548ep-3f, 0x1.555904p-5f, 0x1.123cccp-7f,
                                     0x1.6a1f4ep-10f};
  using S = Simd<Arch>;
  const F32Of<Arch> q = polynomial<Arch>(r, kCoefficients);
  // 1 comes last, so that only the final addition rounds at the result's own scale.
  return S::scale_by_power(S::fma(q, r * r, r) + S::set(1.0f), n);
}

// e^x for x <= kExpMax: subnormal results are rounded once.
template <class Arch>
inline F32Of<Arch> exp_below_overflow(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> clamped = S::max(S::set(kExpMin), x);
  const F32Of<Arch> n = exp_integer<Arch>(clamped);
  return exp_compose<Arch>(n, exp_remainder<Arch>(clamped, n));
}
// Over the whole range: overflow is infinity.
template <class Arch>
inline F32Of<Arch> exp_vector(F32Of<Arch> x) noexcept {
  return exp_below_overflow<Arch>(Simd<Arch>::min(Simd<Arch>::set(kExpMax), x));
}

// e^(-x^2 / 2) for |x| <= 14.8. Rounding x^2 alone would cost up to x^2 / 2 ULP: its low part must
// reach the reduced argument.
template <class Arch>
inline F32Of<Arch> exp_minus_half_square(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  if constexpr (S::kFma) {
    // e^(-s / 2) with s = x^2 + 2 n ln 2, so that x^2 is never rounded by itself; 2 ln 2 is split
    // like ln 2 in exp_remainder.
    const F32Of<Arch> shift = S::set(0x1.8p23f);
    const F32Of<Arch> n = S::fma(x * x, S::set(-0x1.715476p-1f), shift) - shift;
    const F32Of<Arch> s = S::fma(n, S::set(0x1.c85fep-9f), S::fma(x, x, n * S::set(0x1.62p+0f)));
    // e^(-s / 2) on |s| <= ln(2), error 2^-28.0.
    constexpr float kCoefficients[] = {
        1.0f,           -0.5f, 0x1.fffffcp-4f, -0x1.555492p-6f, 0x1.5558f2p-9f, -0x1.123a1ep-12f,
        0x1.6a2402p-16f};
    return S::scale_by_power(polynomial<Arch>(s, kCoefficients), n);
  } else {
    // x = h + l with twelve bits in h: h^2 is exact, and the rest is (x + h) l.
    using I32 = typename S::I32;
    const F32Of<Arch> minus_half = S::set(-0.5f);
    const F32Of<Arch> h = S::bits_to_float(S::float_to_bits(x) & I32(~0xFFF));
    const F32Of<Arch> high = minus_half * (h * h);
    const F32Of<Arch> low = (minus_half * (x + h)) * (x - h);
    const F32Of<Arch> n = exp_integer<Arch>(high + low);
    return exp_compose<Arch>(n, exp_remainder<Arch>(high, n) + low);
  }
}

// 2^x for -160 <= x <= 1.
template <class Arch>
inline F32Of<Arch> exp2_vector(F32Of<Arch> x) noexcept {
  // 2^r on |r| <= 1/2, error 2^-28.9.
  constexpr float kCoefficients[] = {1.0f,           0x1.62e430p-1f, 0x1.ebfbdcp-3f,
                                     0x1.c6aee8p-5f, 0x1.3b2d4cp-7f, 0x1.5f3e52p-10f,
                                     0x1.41fc28p-13f};
  using S = Simd<Arch>;
  const F32Of<Arch> shift = S::set(0x1.8p23f);  // as in exp_integer
  const F32Of<Arch> n = (x + shift) - shift;
  return S::scale_by_power(polynomial<Arch>(x - n, kCoefficients), n);
}

// The probability that a standard normal variable exceeds -m >= 0, divided by e^(-m^2 / 2): a
// smooth function that falls from 1/2 like 1 / (-m sqrt(2 pi)). With t = 1 / (1 - 0.3 m) it is t
// P((-0.3 m - 1) t), the mapping of [0, inf) to [-1, 1) that Shepherd and Laframboise (1981, Math.
// Comp. 36) use for erfc. For m >= -14.8, beyond which the density is 0 in float.
template <class Arch>
inline F32Of<Arch> normal_tail_ratio(F32Of<Arch> m) noexcept {
  // Error 2^-28.1.
  constexpr float kCoefficients[] = {
      0x1.c69888p-3f, -0x1.510f0cp-3f,  0x1.6281f2p-4f,   -0x1.c6d344p-6f, 0x1.dc0fb8p-10f,
      0x1.3da6cep-9f, -0x1.2aaf88p-11f, -0x1.263aecp-12f, 0x1.41af96p-14f, 0x1.51f480p-15f};
  using S = Simd<Arch>;
  if constexpr (S::kLooksUp) return normal_tail_ratio_by_pieces<Arch>(m);
  const F32Of<Arch> one = S::set(1.0f);
  const F32Of<Arch> scale = S::set(-0.3f);
  const F32Of<Arch> t = one / S::fma(scale, m, one);
  return t * polynomial<Arch>(S::fma(scale, m, -one) * t, kCoefficients);
}
inline constexpr float kNormalTailEnd = -14.8f;

// max(-|x|, kNormalTailEnd), the argument of normal_tail_ratio: minus is what the sums that it goes
// into need, and a sign bit is set as cheaply as it is cleared.
template <class Arch>
inline F32Of<Arch> normal_tail_argument(F32Of<Arch> x) noexcept {
  using S = Simd<Arch>;
  const typename S::I32 minus = S::float_to_bits(x) | S::float_to_bits(S::set(-0.0f));
  return S::max(S::set(kNormalTailEnd), S::bits_to_float(minus));
}

// Near 0 an odd polynomial, elsewhere 1 - 2 / (e^(2 |x|) + 1), which does not cancel there.
template <class Arch>
inline F32Of<Arch> tanh_vector(F32Of<Arch> x) noexcept {
  // (tanh(x) / x - 1) / x^2 in x^2 on |x| <= 0.625, error of tanh 2^-27.8.
  constexpr float kCoefficients[] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c5ap-5f,
                                     0x1.522698p-6f, -0x1.75e1c0p-8f};
  using S = Simd<Arch>;
  if constexpr (S::kLooksUp) return tanh_by_pieces<Arch>(x);
  const F32Of<Arch> a = S::abs(x);
  const F32Of<Arch> square = x * x;
  const F32Of<Arch> small = S::fma(polynomial<Arch>(square, kCoefficients) * square, x, x);
  const F32Of<Arch> one = S::set(1.0f);
  const F32Of<Arch> large = one - S::set(2.0f) / (exp_vector<Arch>(a + a) + one);
  return S::select(a < S::set(0.625f), small, copy_sign<Arch>(large, x));
}

// Near 0 an odd polynomial, elsewhere 1 - erfc(|x|) with erfc(z) = 2 tail(sqrt(2) z).
template <class Arch>
inline F32Of<Arch> erf_vector(F32Of<Arch> x) noexcept {
  // erf(x) / x - 1 in x^2 on |x| <= 1, error of erf 2^-29.6.
  constexpr float kCoefficients[] = {0x1.06eba8p-3f,  -0x1.81273ep-2f, 0x1.ce2cf8p-4f,
                                     -0x1.b7f90cp-6f, 0x1.5405b2p-8f,  -0x1.a3f6fap-11f,
                                     0x1.496a1cp-14f};
  using S = Simd<Arch>;
  if constexpr (S::kLooksUp) return erf_by_pieces<Arch>(x);
  const F32Of<Arch> small = S::fma(polynomial<Arch>(x * x, kCoefficients), x, x);
  const F32Of<Arch> magnitude = S::abs(x);
  const F32Of<Arch> m = normal_tail_argument<Arch>(S::set(0x1.6a09e6p+0f) * x);
  const F32Of<Arch> tail = exp_minus_half_square<Arch>(m) * normal_tail_ratio<Arch>(m);
  const F32Of<Arch> large = S::fma(S::set(-2.0f), tail, S::set(1.0f));
  return S::select(magnitude < S::set(1.0f), small, copy_sign<Arch>(large, x));
}

}  // namespace
}  // namespace glassgpt::kernels
