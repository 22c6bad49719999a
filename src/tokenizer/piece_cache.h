// A thread's memory of the tokens of short pieces. Text repeats its words: most pieces are found
// here.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "glassgpt/types.h"
#include "tokenizer/piece_key.h"

namespace glassgpt::tokenizer {

// A fixed number of entries, two to a cache line; a new entry pushes out the older one of its line.
// For one tokenizer and one thread.
class PieceCache {
 public:
  static constexpr std::size_t kMaxTokens = 4;  // per piece

  PieceCache();
  ~PieceCache();
  PieceCache(const PieceCache&) = delete;
  PieceCache& operator=(const PieceCache&) = delete;

  // Asks for the memory of the key before it is needed.
  void prefetch(PieceKey key) const noexcept { __builtin_prefetch(&line_of(key)); }

  // Writes kMaxTokens ids to `out`, of which the returned number is meant; 0 if the piece is not
  // known.
  std::size_t find(PieceKey key, TokenId* out) const noexcept {
    const Line& line = line_of(key);
    const bool second = line[1].key == key;
    if (!(line[0].key == key) & !second) return 0;
    std::memcpy(out, line[second ? 1 : 0].ids, sizeof line[0].ids);
    const std::size_t count = out[0] >> kCountShift;
    out[0] &= (TokenId{1} << kCountShift) - 1;
    return count;
  }

  // 1 to kMaxTokens ids.
  void insert(PieceKey key, std::span<const TokenId> ids) noexcept;

  // This thread's cache for the tokenizer of this number; numbers are never used again.
  static PieceCache& of_thread(std::uint64_t tokenizer);

 private:
  static constexpr std::size_t kLineBits = 17;  // 8 MiB, of which a text takes what it touches
  static constexpr int kCountShift = 28;        // ids stay below kMaxTokens of definition.h
  struct Entry {
    PieceKey key;
    TokenId ids[kMaxTokens];
  };
  using Line = std::array<Entry, 2>;
  static_assert(sizeof(Line) == 64);

  Line& line_of(PieceKey key) const noexcept { return lines_[key.hash() >> (64 - kLineBits)]; }

  void* memory_;
  Line* lines_;
};

}  // namespace glassgpt::tokenizer
