// The loop of dot products in bfloat16 that AVX512-BF16's own instruction can do at most.
#pragma once

#include <cstddef>

namespace glassgpt::kernels {

struct Bf16Probe {
  // As RoofProbe::multiply_add. Null where the compiler does not know the instruction; to be called
  // only where the CPU does.
  float (*dot)(std::size_t iterations) noexcept;
  double flops_per_iteration;
};

extern const Bf16Probe kBf16Probe;

}  // namespace glassgpt::kernels
