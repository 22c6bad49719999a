// A thread's memory of the tokens of short pieces. Text repeats its words: most pieces are found
// here.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "glassgpt/types.h"
#include "tokenizer/hash.h"

namespace glassgpt::tokenizer {

// A fixed number of entries, two to a cache line; a new entry pushes out the older one of its line.
// For one tokenizer and one thread.
class PieceCache {
 public:
  static constexpr std::size_t kMaxPiece = 15;  // bytes
  static constexpr std::size_t kMaxTokens = 4;

  // The bytes of a piece and their number in 128 bits.
  struct Key {
    std::uint64_t low, high;
    bool operator==(const Key& other) const noexcept {
      return ((low ^ other.low) | (high ^ other.high)) == 0;
    }
  };
  // Reads 16 bytes at `piece`; 1 <= length <= kMaxPiece.
  static Key key_of(const char* piece, std::size_t length) noexcept {
    // No branch: lengths are as good as random.
    Key key;
    std::memcpy(&key, piece, sizeof key);
    key.low &= kMasks[length].low;
    key.high = (key.high & kMasks[length].high) | std::uint64_t{length} << 56;
    return key;
  }

  PieceCache();

  // Asks for the memory of the key before it is needed.
  void prefetch(Key key) const noexcept { __builtin_prefetch(&line_of(key)); }

  // Writes kMaxTokens ids to `out`, of which the returned number is meant; 0 if the piece is not
  // known.
  std::size_t find(Key key, TokenId* out) const noexcept {
    const Line& line = line_of(key);
    const bool second = line[1].key == key;
    if (!(line[0].key == key) & !second) return 0;
    std::memcpy(out, line[second ? 1 : 0].ids, sizeof line[0].ids);
    const std::size_t count = out[0] >> kCountShift;
    out[0] &= (TokenId{1} << kCountShift) - 1;
    return count;
  }

  // 1 to kMaxTokens ids.
  void insert(Key key, std::span<const TokenId> ids) noexcept;

  // This thread's cache for the tokenizer of this number; numbers are never used again.
  static PieceCache& of_thread(std::uint64_t tokenizer);

 private:
  static constexpr std::array<Key, kMaxPiece + 1> kMasks = [] {
    std::array<Key, kMaxPiece + 1> masks{};
    for (std::size_t length = 0; length <= kMaxPiece; ++length) {
      for (std::size_t byte = 0; byte < length; ++byte) {
        (byte < 8 ? masks[length].low : masks[length].high) |= std::uint64_t{0xFF}
                                                               << (8 * (byte % 8));
      }
    }
    return masks;
  }();

  static constexpr std::size_t kLineBits = 15;
  static constexpr int kCountShift = 28;  // ids stay below kMaxTokens of definition.h
  struct Entry {
    Key key;
    TokenId ids[kMaxTokens];
  };
  using Line = std::array<Entry, 2>;
  static_assert(sizeof(Line) == 64);

  Line& line_of(Key key) const noexcept {
    const std::uint64_t hash = mix(key.low ^ 0x9E3779B97F4A7C15, key.high ^ 0xC2B2AE3D27D4EB4F);
    return lines_[hash >> (64 - kLineBits)];
  }

  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  Line* lines_;
};

}  // namespace glassgpt::tokenizer
