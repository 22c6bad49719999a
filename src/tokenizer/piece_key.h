// A short piece as a number: its bytes and their count in 128 bits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/hash.h"

namespace glassgpt::tokenizer {

struct PieceKey {
  static constexpr std::size_t kMaxBytes = 15;

  std::uint64_t low, high;

  // 0 if they are equal.
  std::uint64_t difference(const PieceKey& other) const noexcept {
    return (low ^ other.low) | (high ^ other.high);
  }
  bool operator==(const PieceKey& other) const noexcept { return difference(other) == 0; }

  // Reads 16 bytes at `piece`; 1 <= length. A longer piece than kMaxBytes gets a key that no short
  // one has, for kMaxBytes + 1.
  static PieceKey of(const char* piece, std::size_t length) noexcept {
    // No branch: lengths are as good as random.
    PieceKey key;
    std::memcpy(&key.low, piece, 8);
    std::memcpy(&key.high, piece + 8, 8);
    key.low &= kMasks[length].low;
    key.high = (key.high & kMasks[length].high) | std::uint64_t{length} << 56;
    return key;
  }

  // The same where the bytes behind `end` must not be read.
  static PieceKey before(const char* piece, std::size_t length, const char* end) noexcept {
    return end - piece >= 16 ? of(piece, length) : of_copy({piece, length});
  }
  static PieceKey of_copy(std::string_view piece) noexcept {
    char copy[16] = {};
    std::memcpy(copy, piece.data(), piece.size());
    return of(copy, piece.size());
  }

  // With `is_part` 1, the same bytes as a part of a longer piece, which is not looked up as a
  // whole.
  PieceKey as_part(std::uint64_t is_part) const noexcept { return {low, high | is_part << 63}; }

  // Its high bits are the best.
  std::uint64_t hash() const noexcept {
    return mix(low ^ 0x9E3779B97F4A7C15, high ^ 0xC2B2AE3D27D4EB4F);
  }

 private:
  struct Masks {
    std::uint64_t low, high;
  };
  static constexpr std::array<Masks, kMaxBytes + 2> kMasks = [] {
    std::array<Masks, kMaxBytes + 2> masks{};
    for (std::size_t length = 0; length <= kMaxBytes + 1; ++length) {
      for (std::size_t byte = 0; byte < std::min(length, kMaxBytes); ++byte) {
        (byte < 8 ? masks[length].low : masks[length].high) |= std::uint64_t{0xFF}
                                                               << (8 * (byte % 8));
      }
    }
    return masks;
  }();
};

}  // namespace glassgpt::tokenizer
