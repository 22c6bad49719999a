// A thin shim over xsimd: the few vector operations that the kernels are written in, for every ISA
// and for one lane.
//
// Everything here is in an anonymous namespace on purpose: this header is compiled once per ISA
// with that ISA's flags, and code compiled with -mavx512f must never become the copy that the
// linker keeps for everyone.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <xsimd/xsimd.hpp>

namespace glassgpt::kernels {
namespace {

// One lane: the same templates, in plain floats, for the ISA "scalar".
struct ScalarArch {};

#if defined(__AVX512F__)
template <class Arch>
inline constexpr bool kIsAvx512 = std::is_base_of_v<xsimd::avx512f, Arch>;
#else
template <class Arch>
inline constexpr bool kIsAvx512 = false;
#endif

template <class Arch>
struct Simd {
  using F32 = xsimd::batch<float, Arch>;
  using I32 = xsimd::batch<std::int32_t, Arch>;
  using F64 = xsimd::batch<double, Arch>;
  using Mask = xsimd::batch_bool<float, Arch>;
  static constexpr std::size_t kLanes = F32::size;

  static F32 load(const float* p) noexcept { return F32::load_unaligned(p); }
  static void store(float* p, F32 v) noexcept { v.store_unaligned(p); }
  static F32 set(float v) noexcept { return F32(v); }

  // The first n < kLanes elements; the other lanes are `fill`. Touches no memory from p[n] on.
  static F32 load_partial(const float* p, std::size_t n, float fill = 0.0f) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>)
      return F32(_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first_lanes(n), p));
#endif
    float lanes[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = fill;
    std::memcpy(lanes, p, n * sizeof(float));
    return load(lanes);
  }
  static void store_partial(float* p, F32 v, std::size_t n) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return _mm512_mask_storeu_ps(p, first_lanes(n), v);
#endif
    float lanes[kLanes];
    store(lanes, v);
    std::memcpy(p, lanes, n * sizeof(float));
  }

  // Whether fma() rounds once.
  static constexpr bool kFma = kIsAvx512<Arch> || std::is_same_v<Arch, xsimd::fma3<xsimd::avx2>> ||
                               std::is_same_v<Arch, xsimd::neon64>;
  // xsimd 8.1 has no fma for AVX-512: its generic one multiplies and adds with two roundings.
  static F32 fma(F32 a, F32 b, F32 c) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return F32(_mm512_fmadd_ps(a, b, c));
#endif
    return xsimd::fma(a, b, c);
  }
  // A NaN in b wins, a NaN in a is lost: put what may be NaN in b.
  static F32 max(F32 a, F32 b) noexcept { return xsimd::max(a, b); }
  static F32 min(F32 a, F32 b) noexcept { return xsimd::min(a, b); }
  static F32 abs(F32 a) noexcept { return xsimd::abs(a); }
  static F32 sqrt(F32 a) noexcept { return xsimd::sqrt(a); }
  static F32 select(Mask m, F32 a, F32 b) noexcept { return xsimd::select(m, a, b); }

  // Nearest integer, ties to even; the value must fit in 32 bits.
  static I32 round_to_int(F32 a) noexcept { return xsimd::nearbyint_as_int(a); }
  static F32 to_float(I32 a) noexcept { return xsimd::to_float(a); }
  static F32 bits_to_float(I32 a) noexcept { return xsimd::bitwise_cast<F32>(a); }
  static I32 float_to_bits(F32 a) noexcept { return xsimd::bitwise_cast<I32>(a); }

  // a * 2^n for an integral n in [-252, 254], rounded once also where the result is subnormal, so
  // long as a is in [1/2, 2].
  static F32 scale_by_power(F32 a, F32 n) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return F32(_mm512_scalef_ps(a, n));
#endif
    // 2^n itself need not be a float; 2^(n/2) and 2^(n - n/2) are.
    const I32 k = round_to_int(n);
    const I32 half = k >> 1;
    const I32 bias(127);
    return a * bits_to_float((half + bias) << 23) * bits_to_float((k - half + bias) << 23);
  }

  // The lower and the upper half of the lanes, exactly.
  static F64 widen_low(F32 a) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return F64(_mm512_cvtps_pd(_mm512_castps512_ps256(a)));
#elif defined(__AVX__)
    return F64(_mm256_cvtps_pd(_mm256_castps256_ps128(a)));
#elif defined(__SSE2__)
    return F64(_mm_cvtps_pd(a));
#elif defined(__aarch64__)
    return F64(vcvt_f64_f32(vget_low_f32(a)));
#endif
  }
  static F64 widen_high(F32 a) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return F64(_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)));
#elif defined(__AVX__)
    return F64(_mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
#elif defined(__SSE2__)
    return F64(_mm_cvtps_pd(_mm_movehl_ps(a, a)));
#elif defined(__aarch64__)
    return F64(vcvt_high_f64_f32(a));
#endif
  }

  // Whether look_up exists: a table of 32 floats in two registers, read by the lowest five bits of
  // each lane.
  static constexpr bool kLooksUp = kIsAvx512<Arch>;
#if defined(__AVX512F__)
  static F32 look_up(const float (&table)[32], I32 index) noexcept {
    return F32(_mm512_permutex2var_ps(_mm512_load_ps(table), index, _mm512_load_ps(table + 16)));
  }
#endif

  // Stores past the caches (an ordinary store where there is no such instruction). p is aligned to
  // a whole vector; other threads see it after fence().
  static void stream(float* p, F32 v) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return _mm512_stream_ps(p, v);
#elif defined(__AVX__)
    return _mm256_stream_ps(p, v);
#elif defined(__SSE2__)
    return _mm_stream_ps(p, v);
#endif
    store(p, v);
  }
  static void fence() noexcept {
#if defined(__SSE2__)
    _mm_sfence();
#endif
  }

  // Lanes are added in an order that depends on the ISA alone.
  static float reduce_sum(F32 a) noexcept { return xsimd::hadd(a); }
  static double reduce_sum(F64 a) noexcept { return xsimd::hadd(a); }
  // Lane i: the sum over the lanes of rows[i].
  static F32 reduce_sums(const F32 (&rows)[kLanes]) noexcept {
#if defined(__AVX512F__)
    // xsimd 8.1's puts sums into wrong lanes.
    if constexpr (kIsAvx512<Arch>) return F32(transposed_sum(rows));
#endif
    return xsimd::haddp(rows);
  }
  static float reduce_max(F32 a) noexcept {
#if defined(__AVX512F__)
    if constexpr (kIsAvx512<Arch>) return _mm512_reduce_max_ps(a);
#endif
    float lanes[kLanes];
    store(lanes, a);
    for (std::size_t width = kLanes / 2; width > 0; width /= 2)
      for (std::size_t i = 0; i < width; ++i)
        lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
    return lanes[0];
  }

#if defined(__AVX512F__)
 private:
  // Each level adds halves of two vectors side by side: pairs of lanes, quarters, halves of the
  // register.
  static __m512 transposed_sum(const F32 (&rows)[kLanes]) noexcept {
    __m512 fours[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512 a = rows[4 * i], b = rows[4 * i + 1], c = rows[4 * i + 2], d = rows[4 * i + 3];
      const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
      const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
      fours[i] = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
    }
    const auto halves = [](__m512 a, __m512 b) noexcept {
      return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    };
    return halves(halves(fours[0], fours[1]), halves(fours[2], fours[3]));
  }
  static __mmask16 first_lanes(std::size_t n) noexcept {
    return static_cast<__mmask16>((1u << n) - 1u);
  }
#endif
};

template <>
struct Simd<ScalarArch> {
  using F32 = float;
  using I32 = std::int32_t;
  using F64 = double;
  using Mask = bool;
  static constexpr std::size_t kLanes = 1;

  static F32 load(const float* p) noexcept { return *p; }
  static void store(float* p, F32 v) noexcept { *p = v; }
  static F32 set(float v) noexcept { return v; }
  static F32 load_partial(const float*, std::size_t, float fill = 0.0f) noexcept { return fill; }
  static void store_partial(float*, F32, std::size_t) noexcept {}

  static constexpr bool kFma = false;
  // Two roundings: without the instruction, std::fma is a slow function call.
  static F32 fma(F32 a, F32 b, F32 c) noexcept { return a * b + c; }
  static F32 max(F32 a, F32 b) noexcept { return a > b ? a : b; }
  static F32 min(F32 a, F32 b) noexcept { return a < b ? a : b; }
  static F32 abs(F32 a) noexcept { return __builtin_fabsf(a); }
  static F32 sqrt(F32 a) noexcept { return __builtin_sqrtf(a); }
  static F32 select(Mask m, F32 a, F32 b) noexcept { return m ? a : b; }

  static I32 round_to_int(F32 a) noexcept {
    // Adding and taking away 1.5 * 2^23 rounds to the nearest integer, ties to even, for |a| <
    // 2^22.
    const float shifted = a + 12582912.0f;
    return static_cast<I32>(shifted - 12582912.0f);
  }
  static F32 to_float(I32 a) noexcept { return static_cast<float>(a); }
  static F32 bits_to_float(I32 a) noexcept {
    float f;
    std::memcpy(&f, &a, sizeof f);
    return f;
  }
  static I32 float_to_bits(F32 a) noexcept {
    I32 i;
    std::memcpy(&i, &a, sizeof i);
    return i;
  }
  static F32 scale_by_power(F32 a, F32 n) noexcept {
    // The shift of round_to_int by bits, not by conversion: NaN must not reach a conversion to int.
    const I32 k = float_to_bits(n + 12582912.0f) - float_to_bits(12582912.0f);
    const I32 half = k >> 1;
    return a * bits_to_float((half + 127) << 23) * bits_to_float((k - half + 127) << 23);
  }
  static constexpr bool kLooksUp = false;
  static void stream(float* p, F32 v) noexcept { *p = v; }
  static void fence() noexcept {}
  static F64 widen_low(F32 a) noexcept { return static_cast<double>(a); }
  static F64 widen_high(F32) noexcept { return 0.0; }
  static float reduce_sum(F32 a) noexcept { return a; }
  static double reduce_sum(F64 a) noexcept { return a; }
  static F32 reduce_sums(const F32 (&rows)[1]) noexcept { return rows[0]; }
  static float reduce_max(F32 a) noexcept { return a; }
};

// Keeps v in its register: a compiler that knows v's place in memory may read it there again for
// every use, as GCC does to save an instruction.
template <class Vector>
[[gnu::always_inline]] inline void keep_in_register([[maybe_unused]] Vector& v) noexcept {
#if defined(__x86_64__)
  if constexpr (requires { v.data; }) __asm__("" : "+v"(v.data));
#elif defined(__aarch64__)
  if constexpr (requires { v.data; }) __asm__("" : "+w"(v.data));
#endif
}

}  // namespace
}  // namespace glassgpt::kernels
