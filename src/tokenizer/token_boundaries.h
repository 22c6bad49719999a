// Where a piece may be cut, because no token reaches across.
//
// If no token that merging can make has these bytes before and those behind a place, then nothing
// merges across it, and the two sides are merged by themselves. Scripts without blanks (Chinese,
// Japanese, Thai) make long pieces, no two alike; cut between their characters they are short parts
// that a cache knows.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/hash.h"

namespace glassgpt::tokenizer {

// Speaks of characters of three bytes. Immutable once filled.
class TokenBoundaries {
 public:
  TokenBoundaries();

  void add_token(std::string_view bytes);

  // Characters of three bytes begin with one of these.
  static bool is_lead(char byte) noexcept { return (static_cast<unsigned char>(byte) >> 4) == 0xE; }

  // The shapes, one bit each, of what tokens have before and behind a place where a character
  // ends (begins): only those that it may be a part of. A token reaches across the place between
  // two characters only if they have a shape in common.
  static constexpr unsigned kAllShapes = 0x1FF;
  unsigned shapes_before(const char* place) const noexcept {
    return before_[index_of(place - kCharacter)];
  }
  unsigned shapes_behind(const char* place) const noexcept { return behind_[index_of(place)]; }

  // Whether a token may reach across the place between two characters of three bytes that have
  // these shapes, not none, in common. False is certain.
  bool may_span(const char* place, unsigned shapes) const noexcept {
    do {
      const auto shape = static_cast<unsigned>(std::countr_zero(shapes));
      if (filter_has(context(place, shape / 3 + 1, shape % 3 + 1))) return true;
      shapes &= shapes - 1;
    } while (shapes != 0);
    return false;
  }

 private:
  static constexpr std::size_t kCharacter = 3;  // bytes
  static constexpr int kFilterBits = 21;

  // The code point of a well-formed character; some number for any other three bytes.
  static std::size_t index_of(const char* at) noexcept {
    return static_cast<std::size_t>((at[0] & 15) << 12 | (at[1] & 63) << 6 | (at[2] & 63));
  }

  // `before` bytes before a place and `behind` bytes behind it, 1 to 3 each. Fewer than three are
  // all that the token has there. The pair of numbers is the context's shape.
  static std::uint64_t context(const char* place, std::size_t before, std::size_t behind) noexcept {
    std::uint64_t bytes = before << 2 | behind;
    for (const char* at = place - before; at < place + behind; ++at) {
      bytes = bytes << 8 | static_cast<unsigned char>(*at);
    }
    return bytes;
  }

  bool filter_has(std::uint64_t context) const noexcept {
    const std::uint64_t bit = hash_pair(context) >> (64 - kFilterBits);
    return (filter_[bit / 64] >> (bit % 64) & 1) != 0;
  }

  void note_before(const char* place, std::size_t bytes, unsigned shape);
  void note_behind(const char* place, std::size_t bytes, unsigned shape);

  // By character: the shapes, one bit each, of the contexts that it may be a part of.
  std::vector<std::uint16_t> before_, behind_;
  std::vector<std::uint64_t> filter_;  // a bit per hash value of a context
};

}  // namespace glassgpt::tokenizer
