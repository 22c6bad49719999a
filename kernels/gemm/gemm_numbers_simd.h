// The two kinds of numbers that the matrix product multiplies, packed as 32-bit words (see
// gemm_kernel.h). Sums are float32 either way.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/simd.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
struct Float32Numbers {
  using S = Simd<Arch>;
  using F32 = typename S::F32;
  static constexpr std::size_t kPerWord = 1;
  static constexpr bool kSplitsA = false;

  static F32 multiply_add(const float* a, F32 b, F32 sum) noexcept {
    return S::fma(S::set(*a), b, sum);
  }

  // `count` values of k that lie side by side.
  static void pack_row(std::size_t count, const float* from, float* to) noexcept {
    std::memcpy(to, from, count * sizeof(float));
  }
  // [count, width] values, one row per k.
  static void pack_columns(std::size_t count, std::size_t width, const float* from,
                           std::size_t stride, float* to, std::size_t to_stride) noexcept {
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(to + i * to_stride, from + i * stride, width * sizeof(float));
  }
};

// bfloat16 is the upper half of a float32: rounding to nearest, ties to even, adds just under half
// of the last place that stays. A NaN stays a NaN: its upper half alone might read as infinity.
inline std::uint32_t bfloat16_bits(float x) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x00400000u : rounded;
}

inline void store_pair(float even, float odd, float* word) noexcept {
  const std::uint32_t pair = (bfloat16_bits(odd) & 0xffff0000u) | (bfloat16_bits(even) >> 16);
  std::memcpy(word, &pair, sizeof pair);
}

// Products of bfloat16 are exact in float32; the odd one is added first, as AVX512-BF16's
// VDPBF16PS does. That instruction also takes subnormal factors and results for 0. Without it
// packed A holds each word's two numbers as float32 (even, odd): a tile would take every word apart
// again for each panel, on the ports that multiply.
template <class Arch>
struct BFloat16Numbers {
  using S = Simd<Arch>;
  using F32 = typename S::F32;
  static constexpr std::size_t kPerWord = 2;
#if defined(__AVX512BF16__)
  static constexpr bool kSplitsA = !kIsAvx512<Arch>;
#else
  static constexpr bool kSplitsA = true;
#endif

  static F32 multiply_add(const float* a, F32 b, F32 sum) noexcept {
#if defined(__AVX512BF16__)
    if constexpr (!kSplitsA)
      return F32(_mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(static_cast<__m512>(S::set(*a))),
                                  reinterpret_cast<__m512bh>(static_cast<__m512>(b))));
#endif
    return S::fma(S::set(a[0]), even(b), S::fma(S::set(a[1]), odd(b), sum));
  }

  // What packed A holds instead of `words`, which may be the upper half of `to`.
  static void split(std::size_t count, const float* words, float* to) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t pair;
      std::memcpy(&pair, words + i, sizeof pair);
      const std::uint32_t even_bits = pair << 16, odd_bits = pair & 0xffff0000u;
      std::memcpy(to + 2 * i, &even_bits, sizeof even_bits);
      std::memcpy(to + 2 * i + 1, &odd_bits, sizeof odd_bits);
    }
  }

#if defined(__AVX512BF16__)
  // The CPU's own conversion, which takes subnormal numbers for 0 as its products do. Masks at the
  // ends: a number is rounded the same way wherever it stands.
  static void pack_row(std::size_t count, const float* from, float* to) noexcept {
    for (std::size_t i = 0; i < count; i += 32) {
      const std::size_t left = count - i;
      const __m512 lower = _mm512_maskz_loadu_ps(first_lanes(left), from + i);
      const __m512 upper = left > 16 ? _mm512_maskz_loadu_ps(first_lanes(left - 16), from + i + 16)
                                     : _mm512_setzero_ps();
      _mm512_mask_storeu_epi32(to + i / 2, first_lanes((left + 1) / 2),
                               reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(upper, lower)));
    }
  }
  static void pack_columns(std::size_t count, std::size_t width, const float* from,
                           std::size_t stride, float* to, std::size_t to_stride) noexcept {
    for (std::size_t i = 0; i < count; i += 2, to += to_stride) {
      const float* const row = from + i * stride;
      for (std::size_t j = 0; j < width; j += 16) {
        const __mmask16 lanes = first_lanes(width - j);
        const __m512 even = _mm512_maskz_loadu_ps(lanes, row + j);
        const __m512 odd =
            i + 1 < count ? _mm512_maskz_loadu_ps(lanes, row + stride + j) : _mm512_setzero_ps();
        const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
        // Even ones in the lower half of the vector, odd ones in the upper: number j of each makes
        // word j.
        const __m512i words = _mm512_or_si512(
            _mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves)),
            _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves, 1)), 16));
        _mm512_mask_storeu_epi32(to + j, lanes, words);
      }
    }
  }
#else
  static void pack_row(std::size_t count, const float* from, float* to) noexcept {
    const std::size_t pairs = count / 2;
    for (std::size_t i = 0; i < pairs; ++i) store_pair(from[2 * i], from[2 * i + 1], to + i);
    if (count % 2 != 0) store_pair(from[count - 1], 0.0f, to + pairs);
  }
  static void pack_columns(std::size_t count, std::size_t width, const float* from,
                           std::size_t stride, float* to, std::size_t to_stride) noexcept {
    std::size_t i = 0;
    for (; i + 2 <= count; i += 2, to += to_stride) {
      const float* const row = from + i * stride;
      for (std::size_t j = 0; j < width; ++j) store_pair(row[j], row[stride + j], to + j);
    }
    if (i < count)
      for (std::size_t j = 0; j < width; ++j) store_pair(from[i * stride + j], 0.0f, to + j);
  }
#endif

 private:
#if defined(__AVX512BF16__)
  static __mmask16 first_lanes(std::size_t count) noexcept {
    return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1);
  }
#endif
  static F32 even(F32 word) noexcept { return S::bits_to_float(S::float_to_bits(word) << 16); }
  static F32 odd(F32 word) noexcept {
    using I32 = typename S::I32;
    return S::bits_to_float(S::float_to_bits(word) & I32(static_cast<std::int32_t>(0xffff0000u)));
  }
};

}  // namespace
}  // namespace glassgpt::kernels
