// Compiled once per ISA, like kernels/isa_entry.cpp.
#include "kernels/roofs/roof_probe.h"

#include "kernels/isa_arch.h"
#include "kernels/simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace glassgpt::kernels {
namespace {

using S = Simd<GLASSGPT_ISA_ARCH>;
using F32 = S::F32;

// Enough chains for an FMA's latency times the FMAs per cycle (4 x 2), few enough for 16 registers.
constexpr std::size_t kChains = 12;
constexpr std::size_t kUnroll = 8;  // vectors per round of read, copy and update

float multiply_add(std::size_t iterations) noexcept {
  // The factor comes through memory, so that the compiler cannot know it; below 1, so that the sums
  // stay finite.
  volatile float source = 0.5f;
  const F32 factor = S::set(source), term = S::set(source);
  F32 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = S::set(static_cast<float>(i));
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = S::fma(sums[i], factor, term);
  }
  F32 total = sums[0];
  for (std::size_t i = 1; i < kChains; ++i) total = total + sums[i];
  return S::reduce_sum(total);
}

#if defined(__AMX_BF16__)
// Four tiles of sums, as the product has them: more would hide nothing more.
constexpr double kBf16Flops = 4 * 2.0 * 16 * 16 * 32;

float multiply_add_bf16(std::size_t iterations) noexcept {
  struct alignas(64) {
    std::uint8_t palette = 1, reserved[15] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } configuration;
  _tile_loadconfig(&configuration);
  float tile[16 * 16] = {};
  _tile_loadd(0, tile, 64);
  _tile_loadd(1, tile, 64);
  _tile_loadd(2, tile, 64);
  _tile_loadd(3, tile, 64);
  _tile_loadd(4, tile, 64);
  _tile_loadd(5, tile, 64);
  _tile_loadd(6, tile, 64);
  _tile_loadd(7, tile, 64);
  for (std::size_t n = 0; n < iterations; ++n) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(3, tile, 64);
  _tile_release();
  return tile[0];
}
#elif defined(__AVX512BF16__)
constexpr double kBf16Flops = 64.0 * kChains;  // 16 sums of two products each

float multiply_add_bf16(std::size_t iterations) noexcept {
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
#else
constexpr double kBf16Flops = 0;
constexpr float (*multiply_add_bf16)(std::size_t) noexcept = nullptr;
#endif

float read(const float* x, std::size_t n) noexcept {
  F32 sums[kUnroll];
  for (std::size_t i = 0; i < kUnroll; ++i) sums[i] = S::set(0.0f);
  for (std::size_t k = 0; k < n; k += kUnroll * S::kLanes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kUnroll; ++i) sums[i] = sums[i] + S::load(x + k + i * S::kLanes);
  }
  F32 total = sums[0];
  for (std::size_t i = 1; i < kUnroll; ++i) total = total + sums[i];
  return S::reduce_sum(total);
}

void copy(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t k = 0; k < n; k += kUnroll * S::kLanes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kUnroll; ++i)
      S::store(y + k + i * S::kLanes, S::load(x + k + i * S::kLanes));
  }
}

void streaming_copy(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t k = 0; k < n; k += kUnroll * S::kLanes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kUnroll; ++i)
      S::stream(y + k + i * S::kLanes, S::load(x + k + i * S::kLanes));
  }
  S::fence();
}

void update(float* x, std::size_t n) noexcept {
  volatile float source = 1.0f;
  const F32 factor = S::set(source);
  for (std::size_t k = 0; k < n; k += kUnroll * S::kLanes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kUnroll; ++i)
      S::store(x + k + i * S::kLanes, factor * S::load(x + k + i * S::kLanes));
  }
}

}  // namespace

extern const RoofProbe GLASSGPT_ISA_TABLE;
constinit const RoofProbe GLASSGPT_ISA_TABLE = {
    .isa = GLASSGPT_ISA_NAME,
    .multiply_add = multiply_add,
    .flops_per_iteration = 2.0 * kChains * S::kLanes,
    .multiply_add_bf16 = multiply_add_bf16,
    .bf16_flops_per_iteration = kBf16Flops,
    .read = read,
    .copy = copy,
    .streaming_copy = streaming_copy,
    .update = update,
};

}  // namespace glassgpt::kernels
