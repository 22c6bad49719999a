// The operations of simd.h on arrays of one vector, for each ISA: what simd_test.cpp can call
// without being compiled for that ISA.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassgpt::test {

struct SimdProbe {
  const char* isa;
  std::size_t lanes;
  bool fuses;  // fma rounds once
  void (*copy)(const float* x, float* y) noexcept;
  void (*stream)(const float* x, float* y) noexcept;  // y is aligned to a vector
  void (*copy_partial)(const float* x, float* y, std::size_t n, float fill, float* loaded) noexcept;
  void (*fma)(const float* a, const float* b, const float* c, float* y) noexcept;
  void (*max)(const float* a, const float* b, float* y) noexcept;
  void (*min)(const float* a, const float* b, float* y) noexcept;
  void (*abs)(const float* a, float* y) noexcept;
  void (*sqrt)(const float* a, float* y) noexcept;
  void (*select_less)(const float* a, const float* b, float* y) noexcept;  // a < b ? a : b
  void (*round)(const float* a, float* y) noexcept;      // to_float(round_to_int(a))
  void (*next_bits)(const float* a, float* y) noexcept;  // the float whose bits are one more
  void (*scale)(const float* a, const float* n, float* y) noexcept;
  void (*widen)(const float* a, double* sum) noexcept;  // sum of the lanes in double
  float (*reduce_sum)(const float* a) noexcept;
  float (*reduce_max)(const float* a) noexcept;
};

}  // namespace glassgpt::test
