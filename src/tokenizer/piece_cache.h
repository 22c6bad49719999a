// A thread's memory of the tokens of pieces. Text repeats its words: most pieces are found
// here.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "glassgpt/types.h"
#include "tokenizer/piece_key.h"

namespace glassgpt::tokenizer {

// A fixed number of entries, two short ones or a long one to a cache line; a new entry pushes out
// the older one of its line.
// For one tokenizer and one thread.
class PieceCache {
 public:
  static constexpr std::size_t kMaxTokens = 4;  // per piece

  PieceCache();
  ~PieceCache();
  PieceCache(const PieceCache&) = delete;
  PieceCache& operator=(const PieceCache&) = delete;

  struct Entry {
    PieceKey key;
    TokenId ids[kMaxTokens];
  };
  using Line = std::array<Entry, 2>;
  static_assert(sizeof(Line) == 64);

  // Where the key is, if it is known.
  Line* line_of(PieceKey key) const noexcept { return lines_ + (key.hash() >> (64 - kLineBits)); }

  // Writes kMaxTokens ids to `out`, of which the returned number is meant; 0 if the piece is not
  // in the line.
  static std::size_t find(const Line& line, PieceKey key, TokenId* out) noexcept {
    const bool second = line[1].key == key;
    if (!(line[0].key == key) & !second) return 0;
    std::memcpy(out, line[second ? 1 : 0].ids, sizeof line[0].ids);
    const std::size_t count = out[0] >> kCountShift;
    out[0] &= (TokenId{1} << kCountShift) - 1;
    return count;
  }

  // 1 to kMaxTokens ids.
  static void insert(Line& line, PieceKey key, std::span<const TokenId> ids) noexcept;

  // Longer pieces, found by a hash of their bytes.
  struct LongEntry {
    static constexpr std::size_t kMaxBytes = 40, kMaxTokens = 5;

    std::array<char, kMaxBytes> bytes;
    std::uint8_t length, count;
    std::array<TokenId, kMaxTokens> ids;

    // Empty if it is another piece's entry.
    std::span<const TokenId> find(std::string_view piece) const noexcept {
      const bool known =
          length == piece.size() && std::memcmp(bytes.data(), piece.data(), piece.size()) == 0;
      return std::span(ids).first(known ? count : 0);
    }
    // At most kMaxBytes bytes and kMaxTokens ids.
    void set(std::string_view piece, std::span<const TokenId> tokens) noexcept;
  };
  static_assert(sizeof(LongEntry) == 64);

  // The entry of a piece of at most LongEntry::kMaxBytes bytes.
  LongEntry* long_entry(std::string_view piece) const noexcept {
    return long_entries_ + (hash_bytes(piece) >> (64 - kLongBits));
  }

  // This thread's cache for the tokenizer of this number; numbers are never used again.
  static PieceCache& of_thread(std::uint64_t tokenizer);

 private:
  // 8 MiB and 1 MiB, of which a text takes what it touches.
  static constexpr std::size_t kLineBits = 17, kLongBits = 14;
  static constexpr int kCountShift = 28;  // ids stay below kMaxTokens of definition.h

  static constexpr std::size_t kAllBytes =
      (sizeof(Line) << kLineBits) + (sizeof(LongEntry) << kLongBits);

  void* memory_;
  Line* lines_;
  LongEntry* long_entries_;
};

}  // namespace glassgpt::tokenizer
