// What 64 bytes are, one bit per byte: the first step of the fast splitters.
#pragma once

#include <cstdint>
#include <string_view>

namespace glassgpt::tokenizer {

constexpr std::uint32_t kMaskBytes = 64;

// Bit i speaks of byte i. Only ASCII characters are told apart.
struct AsciiMasks {
  std::uint64_t letters, capitals, numbers, spaces, blanks, newlines, apostrophes, slashes;
  std::uint64_t beyond_ascii;
};

// The ways to read them, the fastest first.
enum class MaskIsa { kAvx512Vbmi2, kAvx512, kAvx2, kSse2, kNeon, kScalar };
constexpr MaskIsa kMaskIsas[] = {MaskIsa::kAvx512Vbmi2, MaskIsa::kAvx512, MaskIsa::kAvx2,
                                 MaskIsa::kSse2,        MaskIsa::kNeon,   MaskIsa::kScalar};

std::string_view mask_isa_name(MaskIsa isa) noexcept;
// Whether this CPU and this build have it.
bool has_mask_isa(MaskIsa isa) noexcept;

// The fastest that this CPU has, chosen once. GLASSGPT_ISA holds it to the instruction set that it
// names.
MaskIsa mask_isa() noexcept;

// Reads 64 bytes at `block`; has_mask_isa(isa) must hold.
void read_ascii_masks(MaskIsa isa, const char* block, AsciiMasks& masks) noexcept;

inline std::uint64_t low_mask(std::uint32_t bits) noexcept {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

}  // namespace glassgpt::tokenizer
