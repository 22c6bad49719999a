// Compiled once per ISA, like kernels/isa_entry.cpp.
#include "kernels/roofs/roof_probe.h"

#include "kernels/isa_arch.h"
#include "kernels/simd.h"

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
    .read = read,
    .copy = copy,
    .streaming_copy = streaming_copy,
    .update = update,
};

}  // namespace glassgpt::kernels
