// Loops that do nothing but multiply-add, read, copy or update, for each ISA: what the machine can
// do at most.
#pragma once

#include <cstddef>

namespace glassgpt::kernels {

struct RoofProbe {
  const char* isa;
  // `iterations` rounds of independent multiply-adds in registers; returns their sum.
  // flops_per_iteration in all lanes.
  float (*multiply_add)(std::size_t iterations) noexcept;
  double flops_per_iteration;
  // The same in bfloat16; null where the ISA has no instruction for it.
  float (*multiply_add_bf16)(std::size_t iterations) noexcept;
  double bf16_flops_per_iteration;
  // n is a multiple of 128.
  float (*read)(const float* x, std::size_t n) noexcept;
  void (*copy)(const float* x, float* y, std::size_t n) noexcept;
  // The same past the caches; y is aligned to a vector.
  void (*streaming_copy)(const float* x, float* y, std::size_t n) noexcept;
  void (*update)(float* x, std::size_t n) noexcept;  // in place
};

}  // namespace glassgpt::kernels
