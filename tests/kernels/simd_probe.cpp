// Compiled once per ISA, like kernels/isa_entry.cpp, and exporting one symbol as that does.
#include "tests/kernels/simd_probe.h"

#include "kernels/isa_arch.h"
#include "kernels/simd.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
struct Probe {
  using S = Simd<Arch>;
  using F32 = typename S::F32;
  using I32 = typename S::I32;
  static constexpr bool kFuses =
#if defined(__FMA__) || defined(__aarch64__)
      S::kLanes > 1;
#else
      false;
#endif

  static void copy(const float* x, float* y) noexcept { S::store(y, S::load(x)); }
  static void stream(const float* x, float* y) noexcept {
    S::stream(y, S::load(x));
    S::fence();
  }
  static void copy_partial(const float* x, float* y, std::size_t n, float fill,
                           float* loaded) noexcept {
    const F32 v = S::load_partial(x, n, fill);
    S::store(loaded, v);
    S::store_partial(y, v, n);
  }
  static void fma(const float* a, const float* b, const float* c, float* y) noexcept {
    S::store(y, S::fma(S::load(a), S::load(b), S::load(c)));
  }
  static void max(const float* a, const float* b, float* y) noexcept {
    S::store(y, S::max(S::load(a), S::load(b)));
  }
  static void min(const float* a, const float* b, float* y) noexcept {
    S::store(y, S::min(S::load(a), S::load(b)));
  }
  static void abs(const float* a, float* y) noexcept { S::store(y, S::abs(S::load(a))); }
  static void sqrt(const float* a, float* y) noexcept { S::store(y, S::sqrt(S::load(a))); }
  static void select_less(const float* a, const float* b, float* y) noexcept {
    const F32 x = S::load(a), z = S::load(b);
    S::store(y, S::select(x < z, x, z));
  }
  static void round(const float* a, float* y) noexcept {
    S::store(y, S::to_float(S::round_to_int(S::load(a))));
  }
  static void next_bits(const float* a, float* y) noexcept {
    S::store(y, S::bits_to_float(S::float_to_bits(S::load(a)) + I32(1)));
  }
  static void scale(const float* a, const float* n, float* y) noexcept {
    S::store(y, S::scale_by_power(S::load(a), S::load(n)));
  }
  static void widen(const float* a, double* sum) noexcept {
    const F32 v = S::load(a);
    *sum = S::reduce_sum(S::widen_low(v)) + S::reduce_sum(S::widen_high(v));
  }
  static float reduce_sum(const float* a) noexcept { return S::reduce_sum(S::load(a)); }
  static float reduce_max(const float* a) noexcept { return S::reduce_max(S::load(a)); }
};

using Probed = Probe<GLASSGPT_ISA_ARCH>;

}  // namespace
}  // namespace glassgpt::kernels

namespace glassgpt::test {

extern const SimdProbe GLASSGPT_ISA_TABLE;
constinit const SimdProbe GLASSGPT_ISA_TABLE = {
    .isa = GLASSGPT_ISA_NAME,
    .lanes = kernels::Probed::S::kLanes,
    .fuses = kernels::Probed::kFuses,
    .copy = kernels::Probed::copy,
    .stream = kernels::Probed::stream,
    .copy_partial = kernels::Probed::copy_partial,
    .fma = kernels::Probed::fma,
    .max = kernels::Probed::max,
    .min = kernels::Probed::min,
    .abs = kernels::Probed::abs,
    .sqrt = kernels::Probed::sqrt,
    .select_less = kernels::Probed::select_less,
    .round = kernels::Probed::round,
    .next_bits = kernels::Probed::next_bits,
    .scale = kernels::Probed::scale,
    .widen = kernels::Probed::widen,
    .reduce_sum = kernels::Probed::reduce_sum,
    .reduce_max = kernels::Probed::reduce_max,
};

}  // namespace glassgpt::test
