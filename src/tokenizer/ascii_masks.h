// What 64 bytes are, one bit per byte: the first step of the fast splitters.
#pragma once

#include <cstdint>

namespace glassgpt::tokenizer {

constexpr std::uint32_t kMaskBytes = 64;

// Bit i speaks of byte i. Only ASCII characters are told apart.
struct AsciiMasks {
  std::uint64_t letters, capitals, numbers, spaces, blanks, newlines, apostrophes, slashes;
  std::uint64_t beyond_ascii;
};

// Reads 64 bytes at `block`.
using AsciiMasksFn = void (*)(const char* block, AsciiMasks& masks) noexcept;

// The fastest way that this CPU has, chosen once. GLASSGPT_ISA holds it to the instruction set that
// it names.
AsciiMasksFn ascii_masks() noexcept;

// Each way by its name, null where this CPU or this build does not have it: for tests.
AsciiMasksFn ascii_masks_of(const char* isa) noexcept;

inline std::uint64_t low_mask(std::uint32_t bits) noexcept {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

}  // namespace glassgpt::tokenizer
