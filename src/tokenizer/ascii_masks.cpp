#include "tokenizer/ascii_masks.h"

#include <cstdlib>
#include <string_view>

#include "tokenizer/ascii_masks_isa.h"

namespace glassgpt::tokenizer {
namespace {

MaskIsa choose() noexcept {
  const char* wanted = std::getenv("GLASSGPT_ISA");
  for (const MaskIsa isa : kMaskIsas) {
    if (wanted != nullptr && mask_isa_name(isa) == std::string_view(wanted).substr(0, 6) &&
        has_mask_isa(isa)) {
      return isa;
    }
  }
  for (const MaskIsa isa : kMaskIsas) {
    if (has_mask_isa(isa)) return isa;
  }
  return MaskIsa::kScalar;
}

}  // namespace

std::string_view mask_isa_name(MaskIsa isa) noexcept {
  switch (isa) {
    case MaskIsa::kAvx512Vbmi2:
    case MaskIsa::kAvx512:
      return "avx512";
    case MaskIsa::kAvx2:
      return "avx2";
    case MaskIsa::kSse2:
      return "sse2";
    case MaskIsa::kNeon:
      return "neon64";
    case MaskIsa::kScalar:
      return "scalar";
  }
  return {};
}

bool has_mask_isa(MaskIsa isa) noexcept {
  if (isa == MaskIsa::kScalar) return true;
#if defined(__x86_64__)
  if (isa == MaskIsa::kSse2) return true;
  // Whatever has AVX2 has BMI, and so on; the kernels' detector asks for no more either.
  if (isa == MaskIsa::kAvx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  }
  if (isa == MaskIsa::kAvx512Vbmi2) {
    return has_mask_isa(MaskIsa::kAvx512) && __builtin_cpu_supports("avx512vbmi2");
  }
  if (isa == MaskIsa::kAvx512) {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
  }
#elif defined(__aarch64__)
  if (isa == MaskIsa::kNeon) return true;
#endif
  return false;
}

MaskIsa mask_isa() noexcept {
  static const MaskIsa chosen = choose();
  return chosen;
}

void read_ascii_masks(MaskIsa isa, const char* block, AsciiMasks& masks) noexcept {
  switch (isa) {
#if defined(__x86_64__)
    case MaskIsa::kAvx512Vbmi2:
    case MaskIsa::kAvx512:
      return avx512_masks(block, masks);
    case MaskIsa::kAvx2:
      return avx2_masks(block, masks);
    case MaskIsa::kSse2:
      return sse2_masks(block, masks);
#elif defined(__aarch64__)
    case MaskIsa::kNeon:
      return neon_masks(block, masks);
#endif
    default:
      return scalar_masks(block, masks);
  }
}

}  // namespace glassgpt::tokenizer
