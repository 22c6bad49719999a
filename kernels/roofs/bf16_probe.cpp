// Compiled with -mavx512bf16 where the compiler has it; everything but the probe is in an anonymous
// namespace, so that no code of this file is used elsewhere.
#include "kernels/roofs/bf16_probe.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace glassgpt::kernels {

#if defined(__AVX512BF16__)
namespace {

// Enough to hide the instruction's latency of six cycles at two per cycle.
constexpr std::size_t kChains = 12;
constexpr double kFlops = 64.0;  // 16 sums of two products each

float dot(std::size_t iterations) noexcept {
  // Comes through memory, so that the compiler cannot know it. As two bfloat16 it is 2^-63 and 0:
  // the sums stay finite.
  volatile int source = 0x20000000;
  const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(source));
  __m512 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], factor, factor);
  }
  __m512 total = sums[0];
  for (std::size_t i = 1; i < kChains; ++i) total = _mm512_add_ps(total, sums[i]);
  return _mm512_reduce_add_ps(total);
}

}  // namespace

constinit const Bf16Probe kBf16Probe = {dot, kFlops* kChains};
#else
constinit const Bf16Probe kBf16Probe = {nullptr, 0.0};
#endif

}  // namespace glassgpt::kernels
