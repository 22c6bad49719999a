// The tokens of a vocabulary: bytes by id, id by bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/definition.h"
#include "tokenizer/hash.h"

namespace glassgpt::tokenizer {

// Immutable once filled; reading is safe from any thread. Ids may have gaps.
class Vocabulary {
 public:
  // Gives `id` these bytes. False if the id is taken. The first token with the same bytes is the
  // one that find() returns; hidden tokens (special ones) are never found by their bytes.
  bool add(TokenId id, std::string_view bytes, bool hidden = false);

  bool contains(TokenId id) const noexcept {
    return id < entries_.size() && entries_[id].begin != kAbsent;
  }
  // The token's bytes; contains(id) must hold.
  std::string_view bytes(TokenId id) const noexcept {
    return {text_.data() + entries_[id].begin, entries_[id].length};
  }
  // The id of the token with these bytes, or kNoToken.
  TokenId find(std::string_view bytes) const noexcept;

  // Appends the bytes of the tokens to `text`. Stops before the first id that is not there, and
  // returns its place in `ids`; ids.size() if all are.
  std::size_t append_bytes(std::span<const TokenId> ids, std::string& text) const;

  // One past the largest id.
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  static constexpr std::uint64_t kAbsent = ~std::uint64_t{0};
  struct Entry {
    std::uint64_t begin = kAbsent;
    std::uint64_t length = 0;
  };

  // The bytes of a short token, in one load with their number; kLong for other ids.
  static constexpr std::uint8_t kLong = 255;
  struct Short {
    char bytes[15] = {};
    std::uint8_t length = kLong;
  };

  // Tokens for which room is made at once.
  static constexpr std::size_t kBlockTokens = 256;

  // Copies the tokens before the first one that is not short, and returns their number. `out` has
  // room for all of `ids` as Shorts and moves behind what is copied.
  std::size_t copy_short(std::span<const TokenId> ids, char*& out) const noexcept;
  std::size_t estimate_bytes(std::span<const TokenId> ids) const noexcept;
  void grow_index();
  std::size_t slot_of(std::string_view wanted) const noexcept;

  std::string text_;
  std::vector<Entry> entries_;
  std::vector<Short> shorts_;
  std::vector<TokenId> index_;  // open addressing, a power of two, at most half full
  std::size_t indexed_ = 0;
};

}  // namespace glassgpt::tokenizer
