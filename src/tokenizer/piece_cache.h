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

// A fixed number of entries: a new one pushes out an older one of its place. For one tokenizer and
// one thread.
class PieceCache {
 public:
  static constexpr std::size_t kMaxTokens = 4;  // that find() gives

  PieceCache();
  ~PieceCache();
  PieceCache(const PieceCache&) = delete;
  PieceCache& operator=(const PieceCache&) = delete;

  // Of a short piece: two to a cache line, and its neighbour takes what a line has no place for.
  struct Entry {
    PieceKey key;
    TokenId ids[kMaxTokens];  // the first with their number above kCountShift; 0: see LongEntry
  };
  using Line = std::array<Entry, 2>;
  static_assert(sizeof(Line) == 64);

  // Where the key is, if it is known.
  Line* line_of(PieceKey key) const noexcept { return lines_ + (key.hash() >> (64 - kLineBits)); }

  // Writes kMaxTokens ids to `out`, of which the returned number is meant; 0 if they are not in the
  // line.
  static std::size_t find(const Line& line, PieceKey key, TokenId* out) noexcept {
    // Which of the two it is is as good as random, so no branch may depend on it alone.
    const std::uint64_t second = line[1].key.difference(key) == 0 ? 1 : 0;
    if ((line[0].key.difference(key) & (second - 1)) != 0) return 0;
    return copy(line[second], out);
  }

  // What find() does not find: the same for the line's neighbour. `is_long` tells whether the piece
  // is known to have a long entry.
  std::size_t find_elsewhere(Line& line, PieceKey key, TokenId* out, bool& is_long) noexcept;

  // Any number of ids; more than kMaxTokens make a reference to a long entry.
  void insert(Line& line, PieceKey key, std::span<const TokenId> ids) noexcept;

  // Pieces of more bytes or tokens, found by a hash of their bytes.
  struct LongEntry {
    static constexpr std::size_t kMaxBytes = 45, kMaxTokens = 20;

    std::array<char, kMaxBytes> bytes;
    std::uint8_t length, count;
    bool is_part;
    std::array<TokenId, kMaxTokens> ids;

    // Empty if it is another piece's entry.
    std::span<const TokenId> find(std::string_view piece, bool as_part) const noexcept {
      const bool known = length == piece.size() && is_part == as_part &&
                         std::memcmp(bytes.data(), piece.data(), piece.size()) == 0;
      return std::span(ids).first(known ? count : 0);
    }
    // At most kMaxBytes bytes and kMaxTokens ids.
    void set(std::string_view piece, bool as_part, std::span<const TokenId> tokens) noexcept;
  };
  static_assert(sizeof(LongEntry) == 128);

  // The entry of a piece of at most LongEntry::kMaxBytes bytes.
  LongEntry* long_entry(std::string_view piece) const noexcept {
    return long_entries_ + (hash_bytes(piece) >> (64 - kLongBits));
  }

  // Room for ids on their way to the caller.
  static constexpr std::size_t kChunkIds = 12288;
  TokenId* chunk() const noexcept { return chunk_; }

  // This thread's cache for the tokenizer of this number; numbers are never used again.
  static PieceCache& of_thread(std::uint64_t tokenizer);

 private:
  // 8 and 2 MiB, of which a text takes what it touches.
  static constexpr std::size_t kLineBits = 17, kLongBits = 14;
  static constexpr int kCountShift = 28;  // ids stay below kMaxTokens of definition.h

  static std::size_t copy(const Entry& entry, TokenId* out) noexcept {
    // The number is not read back from `out`, whose address waits for the number before.
    std::uint64_t words[2];
    std::memcpy(words, entry.ids, sizeof words);
    const auto first = static_cast<TokenId>(words[0]);
    words[0] &= ~(std::uint64_t{0xF} << kCountShift);
    std::memcpy(out, words, sizeof words);
    return first >> kCountShift;
  }
  Line& neighbour(Line& line) const noexcept { return lines_[(&line - lines_) ^ 1]; }

  void* memory_;
  std::size_t bytes_;
  Line* lines_;
  LongEntry* long_entries_;
  TokenId* chunk_;
};

}  // namespace glassgpt::tokenizer
